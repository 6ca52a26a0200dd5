import type { Host } from "../shared/host";
import { isObject, type Properties, reveal, withoutSecrets } from "../shared/values";
import type { Fields } from "./fields";
import { text, textMap } from "./inputs";
import { isShown, lifecycleFields, loggingChoices, previousOutput } from "./local";
import { trimNewline } from "./process";
import { SshClient } from "./ssh";
import { connectionFields } from "./ssh-config";

/** Inputs of command:remote:Command. */
export const remoteCommandFields: Fields = {
    ...lifecycleFields,
    stdin: { type: "string" },
    logging: { type: "string", choices: loggingChoices },
    connection: { type: "object", required: true, secret: true, fields: connectionFields },
    environment: { type: "map" },
    addPreviousOutputInEnv: { type: "boolean" },
};

/** What every operation on another machine works with. */
export interface RemoteContext {
    readonly host: Host;
    readonly urn: string;
    readonly signal: AbortSignal;
}

/** A connection's inputs, secrets revealed. */
export function connectionOf(state: Properties): Properties {
    const connection = reveal(state["connection"] ?? null);
    return isObject(connection) ? connection : {};
}

/** Connects for as long as `body` runs. */
export function withConnection<T>(
    state: Properties,
    variables: Readonly<Record<string, string>>,
    { host, urn, signal }: RemoteContext,
    body: (client: SshClient) => Promise<T>,
): Promise<T> {
    const onRetry = (message: string) => host.status("info", urn, message);
    return SshClient.use(connectionOf(state), variables, { signal, onRetry }, body);
}

/** Says which variable the server did not take: sshd drops what its AcceptEnv does not name, and does not tell. */
async function refusedVariable(client: SshClient, names: readonly string[]): Promise<string | undefined> {
    for (const name of names) {
        const { code } = await client.run(`printenv ${name} >/dev/null`, {});
        if (code !== 0) {
            return name;
        }
    }
    return undefined;
}

function refusal(name: string): string {
    return (
        `Unable to set '${name}'. This only works if your SSH server is configured to accept\n\t` +
        "these variables via AcceptEnv. Alternatively, if a Bash-like shell runs the command on the remote host, " +
        "you could\n\tprefix the command itself with the variables in the form 'VAR=value command'"
    );
}

/**
 * Runs a command on another machine.
 *
 * @param state inputs and, from the run before, outputs
 * @returns the outputs
 * @throws Error with what it printed when it fails, or when the machine cannot be reached
 */
export async function runRemote(command: string, state: Properties, context: RemoteContext): Promise<Properties> {
    const inputs = withoutSecrets(state);
    const own = textMap(inputs, "environment");
    const previous = previousOutput(inputs, inputs);
    return withConnection(state, { ...own, ...previous }, context, async (client) => {
        const refused = await refusedVariable(client, Object.keys(own));
        if (refused !== undefined) {
            context.host.log("error", context.urn, refusal(refused));
            throw new Error(`could not set environment variable "${refused}": ssh: setenv failed`);
        }
        const missing = await refusedVariable(client, Object.keys(previous));
        if (missing !== undefined) {
            context.host.log("warning", context.urn, refusal(missing));
        }
        const { code, stdout, stderr, output } = await client.run(command, {
            input: text(inputs, "stdin") ?? "",
            signal: context.signal,
            onLine: (line) => context.host.status("info", context.urn, line),
            showStdout: isShown(inputs, "stdout"),
            showStderr: isShown(inputs, "stderr"),
        });
        if (code !== 0) {
            throw new Error(`Process exited with status ${code}: running ${JSON.stringify(command)}:\n${output}`);
        }
        return { stdout: trimNewline(stdout), stderr: trimNewline(stderr) };
    });
}
