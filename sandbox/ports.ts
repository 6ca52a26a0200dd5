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
