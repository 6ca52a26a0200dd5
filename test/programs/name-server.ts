import { createHmac, randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";
import { Resolver } from "node:dns/promises";
import { freePort } from "../../lib/ports";
import { tool } from "../../toolchain/tools";
import { Program } from "./program";

/** A domain name in a packet's encoding: RFC 1035, section 3.1. */
function nameBytes(name: string): Buffer {
    const labels = name.replace(/\.$/, "").split(".");
    const bytes = labels.map((each) => Buffer.concat([Buffer.from([each.length]), Buffer.from(each)]));
    return Buffer.concat([...bytes, Buffer.from([0])]);
}

function numbers(...values: readonly (readonly [value: number, bytes: number])[]): Buffer {
    return Buffer.concat(
        values.map(([value, bytes]) => {
            const buffer = Buffer.alloc(bytes);
            buffer.writeUIntBE(value, 0, bytes);
            return buffer;
        }),
    );
}

const classes = { internet: 1, none: 254, any: 255 };
const types = { SOA: 6, TXT: 16, TSIG: 250 };
const algorithm = "hmac-sha256.";

/** A DNS server for the home's domain that accepts signed updates, like a provider's or a router's. */
export class NameServer {
    /** Name and value of the key (TSIG) that signs updates. */
    readonly key = { name: "hearth", secret: randomBytes(32).toString("base64") };
    readonly resolver = new Resolver({ timeout: 2_000, tries: 2 });
    port = 0;
    #program: Program | undefined;

    /** @param zone for instance example.com */
    constructor(readonly zone: string) {}

    async start(): Promise<void> {
        this.port = await freePort();
        const { name, secret } = this.key;
        const listen = `127.0.0.1:${this.port}`;
        this.#program = new Program(tool("name-server"), [
            ...["-zone", `${this.zone}.`, "-listen", listen, "-key", `${name}.`, "-secret", secret],
        ]);
        this.resolver.setServers([listen]);
        await this.#program.until(async () => (await this.resolver.resolveSoa(this.zone)).nsname !== "");
    }

    async stop(): Promise<void> {
        await this.#program?.stop();
    }

    /** Values of a name's TXT records. */
    async texts(name: string): Promise<string[]> {
        const found = await this.resolver.resolveTxt(name).catch(() => []);
        return found.map((parts) => parts.join("")).sort();
    }

    /** Adds or deletes a TXT record by RFC 2136 and RFC 8945. */
    async update(action: "add" | "delete", name: string, value: string): Promise<void> {
        const id = randomBytes(2).readUInt16BE();
        const header = (signatures: number) =>
            // Opcode 5; one zone, no prerequisite, one update.
            numbers([id, 2], [5 << 11, 2], [1, 2], [0, 2], [1, 2], [signatures, 2]);
        const text = Buffer.concat([Buffer.from([value.length]), Buffer.from(value)]);
        const body = Buffer.concat([
            ...[nameBytes(this.zone), numbers([types.SOA, 2], [classes.internet, 2])],
            ...[nameBytes(name), numbers([types.TXT, 2], [action === "add" ? classes.internet : classes.none, 2])],
            ...[numbers([action === "add" ? 1 : 0, 4], [text.length, 2]), text],
        ]);
        const key = nameBytes(this.key.name);
        const time = numbers([Math.floor(Date.now() / 1_000), 6], [300, 2]);
        const rest = numbers([0, 2], [0, 2]);
        const variables = [key, numbers([classes.any, 2], [0, 4]), nameBytes(algorithm), time, rest];
        const mac = createHmac("sha256", Buffer.from(this.key.secret, "base64"))
            .update(Buffer.concat([header(0), body, ...variables]))
            .digest();
        const data = Buffer.concat([nameBytes(algorithm), time, numbers([mac.length, 2]), mac, numbers([id, 2]), rest]);
        const signature = [key, numbers([types.TSIG, 2], [classes.any, 2], [0, 4], [data.length, 2]), data];
        const code = await this.#send(Buffer.concat([header(1), body, ...signature]));
        if (code !== 0) {
            throw new Error(`the name server refuses an update of ${name}: code ${code}`);
        }
    }

    /** @returns the response code */
    #send(packet: Buffer): Promise<number> {
        return new Promise((resolve, reject) => {
            const socket = createSocket("udp4");
            socket.once("error", reject);
            socket.once("message", (answer) => {
                socket.close();
                resolve((answer[3] ?? 0) & 0xf);
            });
            socket.send(packet, this.port, "127.0.0.1");
        });
    }
}
