import { mkdtempSync, rmSync } from "node:fs";
import { createServer, request, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../../lib/ports";
import { tool } from "../../toolchain/tools";
import { Program } from "../programs/program";

/** A real rest-server. */
export class RestServer {
    readonly directory = mkdtempSync(join(tmpdir(), "hearth-rest-"));
    #program: Program | undefined;
    port = 0;

    /** Starts it. @param options further arguments, for instance --append-only */
    async start(...options: readonly string[]): Promise<this> {
        this.port = this.port || (await freePort());
        this.#program = new Program(tool("rest-server"), [
            ...["--path", this.directory, "--listen", `127.0.0.1:${this.port}`, "--no-auth"],
            ...options,
        ]);
        const program = this.#program;
        await program.until(async () => program.output.includes("start server on"));
        return this;
    }

    /** Ends it. */
    async stop(): Promise<void> {
        await this.#program?.stop();
    }

    /** `hearth:backup` with a repository on it. */
    backup(options: object = {}): object {
        return { target: `rest:http://127.0.0.1:${this.port}/home/`, password: "a password of the test", ...options };
    }

    /** Ends it and deletes its repositories. */
    async remove(): Promise<void> {
        await this.stop();
        rmSync(this.directory, { recursive: true, force: true });
    }
}

/** A proxy in front of a server, with a callback before each forwarded request that gets its number. */
export class CountingProxy {
    requests = 0;
    onRequest: (number: number) => void = () => undefined;
    #server: Server | undefined;
    port = 0;

    async start(port: number): Promise<this> {
        this.#server = createServer((incoming, outgoing) => {
            this.requests++;
            this.onRequest(this.requests);
            const { method, headers, url } = incoming;
            const passed = request({ port, host: "127.0.0.1", method, headers, path: url }, (answer) => {
                outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
                answer.pipe(outgoing);
            });
            passed.on("error", () => outgoing.destroy());
            incoming.on("error", () => passed.destroy());
            incoming.pipe(passed);
        });
        this.port = await freePort();
        await new Promise<void>((resolve) => this.#server?.listen(this.port, "127.0.0.1", resolve));
        return this;
    }

    async stop(): Promise<void> {
        this.#server?.closeAllConnections();
        await new Promise((resolve) => this.#server?.close(resolve));
    }
}
