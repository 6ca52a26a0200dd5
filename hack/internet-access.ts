import { createSocket } from "node:dgram";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { lookUp } from "./name-check";

/** Milliseconds for an answer. */
const patience = 3_000;

/** Networks whose addresses the Internet does not reach: RFC 6598 (a carrier's NAT), RFC 1918. */
const behindNat = /^(100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])|10|172\.(1[6-9]|2\d|3[01])|192\.168)\./;

/** Observations about access from the Internet. */
export interface InternetAccess {
    /** Address of the home as a server on the Internet sees it; undefined without an answer. */
    readonly outside: string | undefined;
    /** Address of the router on its provider's side, as the router reports it; undefined if it does not. */
    readonly router: string | undefined;
    /** True if something answers at port 443 of the outside address. */
    readonly answers: boolean;
}

/** Reports the obstacle to access from the Internet, if any: the provider's NAT, or a router that does not forward. */
export function assessInternetAccess({ outside, router, answers }: InternetAccess): {
    readonly good: boolean;
    readonly found: string;
    readonly remedy?: string;
} {
    if (answers) {
        return { good: true, found: `${outside} answers at port 443` };
    }
    if (outside === undefined) {
        return {
            good: false,
            found: "servers on the Internet are unreachable",
            remedy: "check whether the home is online",
        };
    }
    if (router !== undefined && (behindNat.test(router) || router !== outside)) {
        const found = `the provider's NAT (CGNAT): the router has ${router}, and the Internet sees ${outside}`;
        return {
            good: false,
            found,
            remedy: "ask the provider for a public address, or set hearth:edge: docs/expose.md",
        };
    }
    const known = router === undefined ? "" : ", which is the router's own address";
    return {
        good: false,
        found: `nothing answers at port 443 of ${outside}${known}`,
        remedy:
            router === undefined
                ? `compare ${outside} with the router's page: if equal, forward the ports (docs/expose.md); if not, it is ` +
                  "behind the provider's NAT: set hearth:edge"
                : "forward the ports (docs/expose.md); if they are, try from a phone without Wi-Fi: some routers do not " +
                  "route their own address back in",
    };
}

/** Address of the default gateway, on Linux; undefined elsewhere. */
function gateway(): string | undefined {
    try {
        const route = readFileSync("/proc/net/route", "utf8")
            .split("\n")
            .map((line) => line.split("\t"))
            .find(
                ([, destination, , flags]) =>
                    destination === "00000000" && (Number.parseInt(flags ?? "", 16) & 2) !== 0,
            );
        const bytes = Buffer.from(route?.[2] ?? "", "hex").reverse();
        return bytes.length === 4 ? [...bytes].join(".") : undefined;
    } catch {
        return undefined;
    }
}

/** External address in an answer of NAT-PMP (RFC 6886, section 3.2); undefined if it is none, or the router has none. */
export function externalAddress(answer: Buffer): string | undefined {
    const isAddress = answer.length >= 12 && answer[0] === 0 && answer[1] === 128 && answer.readUInt16BE(2) === 0;
    const address = isAddress ? [...answer.subarray(8, 12)].join(".") : "0.0.0.0";
    return address === "0.0.0.0" ? undefined : address;
}

/**
 * The router's address on its provider's side, by NAT-PMP.
 *
 * @param router address of the router
 */
export async function askRouter(router: string, port = 5351): Promise<string | undefined> {
    return new Promise((resolve) => {
        const socket = createSocket("udp4");
        const end = (found: string | undefined) => {
            clearTimeout(timer);
            socket.close();
            resolve(found);
        };
        const timer = setTimeout(() => end(undefined), patience);
        socket.once("error", () => end(undefined));
        socket.once("message", (answer) => end(externalAddress(answer)));
        socket.send(Buffer.from([0, 0]), port, router);
    });
}

/** Reports whether a TCP port answers. */
export async function answersAt(host: string, port: number): Promise<boolean> {
    return new Promise((resolve) => {
        const socket = connect({ host, port, timeout: patience });
        const end = (found: boolean) => {
            socket.destroy();
            resolve(found);
        };
        socket.once("connect", () => end(true));
        socket.once("timeout", () => end(false));
        socket.once("error", () => end(false));
    });
}

/** Observes the access from the Internet to this home. */
export async function observeInternetAccess(): Promise<InternetAccess> {
    // resolver1.opendns.com answers this name with the client's address.
    const seen = await lookUp(["208.67.222.222"], "myip.opendns.com");
    const outside = typeof seen === "string" ? undefined : seen[0];
    const router = gateway();
    const [external, answers] = await Promise.all([
        router === undefined ? undefined : askRouter(router),
        outside === undefined ? false : answersAt(outside, 443),
    ]);
    return { outside, router: external, answers };
}
