import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { isObject, type Properties } from "../shared/values";
import { number, text } from "./inputs";
import { type Outcome, type ProcessOptions, runProcess } from "./process";
import { type SshSetup, target, writeSshConfig } from "./ssh-config";

/** What a dial that failed tells, in the words that the official plugin's SSH library has for it. */
export function dialError(stderr: string, connection: Properties): string {
    const address = `${text(connection, "host")}:${number(connection, "port", 22)}`;
    if (/Host key verification failed|REMOTE HOST IDENTIFICATION HAS CHANGED/.test(stderr)) {
        return "ssh: handshake failed: ssh: host key mismatch";
    }
    if (/no matching host key type found/.test(stderr)) {
        return "ssh: handshake failed: ssh: no common algorithm for host key";
    }
    if (/Permission denied|Too many authentication failures/.test(stderr)) {
        return "ssh: handshake failed: ssh: unable to authenticate, no supported methods remain";
    }
    if (/Connection refused/.test(stderr)) {
        return `dial tcp ${address}: connect: connection refused`;
    }
    if (/timed out/.test(stderr)) {
        return `dial tcp ${address}: i/o timeout`;
    }
    if (/Could not resolve hostname/.test(stderr)) {
        return `dial tcp: lookup ${text(connection, "host")}: no such host`;
    }
    if (/No route to host/.test(stderr)) {
        return `dial tcp ${address}: connect: no route to host`;
    }
    return `ssh: ${stderr.trim().split("\n").pop() || "the connection was closed"}`;
}

/** An open connection. Keys, configuration and control socket are in a private folder that goes with it. */
export class SshClient {
    readonly #setup: SshSetup;
    readonly #control: string;

    private constructor(setup: SshSetup, control: string) {
        this.#setup = setup;
        this.#control = control;
    }

    /**
     * Connects, uses the connection, and closes it. A dial that fails is repeated as often as dialErrorLimit says.
     *
     * @param connection the connection's inputs, secrets revealed
     * @param variables environment of remote commands
     * @throws Error when no dial succeeds
     */
    static async use<T>(
        connection: Properties,
        variables: Readonly<Record<string, string>>,
        context: { readonly signal: AbortSignal; readonly onRetry: (message: string) => void },
        body: (client: SshClient) => Promise<T>,
    ): Promise<T> {
        // Short, because the path of a socket has at most about a hundred characters.
        const folder = mkdtempSync(join(tmpdir(), "ssh-"));
        const remove = () => rmSync(folder, { recursive: true, force: true });
        process.once("exit", remove);
        try {
            const proxy = isObject(connection["proxy"]) ? connection["proxy"] : undefined;
            const setup = writeSshConfig(connection, proxy, folder, variables);
            const client = new SshClient(setup, join(folder, "control"));
            await client.#dial(connection, context);
            try {
                return await body(client);
            } finally {
                await client.ssh(["-O", "exit", target]);
            }
        } finally {
            process.off("exit", remove);
            remove();
        }
    }

    async #dial(
        connection: Properties,
        { signal, onRetry }: { readonly signal: AbortSignal; readonly onRetry: (message: string) => void },
    ): Promise<void> {
        const limit = number(connection, "dialErrorLimit", 10);
        let pause = 100;
        for (let attempt = 0; ; attempt++) {
            const { code, stderr } = await this.ssh(["-M", "-N", "-f", target], { signal, detaches: true });
            if (code === 0) {
                return;
            }
            if (limit > -1 && attempt + 1 > limit) {
                throw new Error(`after ${attempt} failed attempts: ${dialError(stderr, connection)}`);
            }
            onRetry(`Dial ${attempt + 1}/${limit === -1 ? "inf" : limit} failed: retrying`);
            await delay(pause, undefined, { signal });
            pause = Math.min(pause * 1.5, 5000);
        }
    }

    /** Runs ssh over this connection. */
    ssh(args: readonly string[], options: ProcessOptions = {}): Promise<Outcome> {
        const { config, environment } = this.#setup;
        return runProcess("ssh", ["-F", config, "-S", this.#control, ...args], { ...options, env: environment });
    }

    /** Runs a command of the remote machine's shell. */
    run(command: string, options: ProcessOptions): Promise<Outcome> {
        return this.ssh([target, "--", command], options);
    }

    /** Runs sftp commands, one after the other until one fails. */
    sftp(commands: readonly string[]): Promise<Outcome> {
        const { config, environment } = this.#setup;
        const args = ["-q", "-F", config, "-o", `ControlPath=${this.#control}`, "-b", "-", target];
        return runProcess("sftp", args, { env: environment, input: `${commands.join("\n")}\n` });
    }
}
