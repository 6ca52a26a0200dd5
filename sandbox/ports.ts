import { randomInt } from "node:crypto";
import { type AddressInfo, createServer } from "node:net";

/** A port of loopback that nobody listens on now. */
export function freePort(): Promise<number> {
    return new Promise((resolve, reject) => {
        const server = createServer();
        server.once("error", reject);
        server.listen(0, "127.0.0.1", () => {
            const { port } = server.address() as AddressInfo;
            server.close(() => resolve(port));
        });
    });
}

/** Different free ports. */
export async function freePorts<T extends string>(...names: T[]): Promise<Record<T, number>> {
    const entries = await Promise.all(names.map(async (name) => [name, await freePort()] as const));
    return Object.fromEntries(entries) as Record<T, number>;
}

/** Whether nobody listens on a port of loopback. */
export function isFree(port: number): Promise<boolean> {
    return new Promise((resolve) => {
        const server = createServer();
        server.once("error", () => resolve(false));
        server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
    });
}

/** Ports that Linux gives to no connection by itself, and Kubernetes to no Service. */
const lasting = { from: 20_000, before: 30_000 };

/**
 * Different free ports for what is stopped and started again. Each is picked at random: two sandboxes that are made at
 * once, or one that is made while another is stopped, hardly ever meet.
 */
export async function lastingPorts<T extends string>(...names: T[]): Promise<Record<T, number>> {
    const found = new Set<number>();
    while (found.size < names.length) {
        const port = randomInt(lasting.from, lasting.before);
        if (await isFree(port)) {
            found.add(port);
        }
    }
    const ports = [...found];
    return Object.fromEntries(names.map((name, index) => [name, ports[index]])) as Record<T, number>;
}
