import type { Host } from "../shared/host";
import { isObject, type Properties, withoutSecrets } from "../shared/values";
import { archiveOf, chooseFiles } from "./content";
import type { Fields } from "./fields";
import { text, textMap, texts } from "./inputs";
import { runProcess, trimNewline } from "./process";

/** What may be logged while a command runs. */
export const loggingChoices = ["stdout", "stderr", "stdoutAndStderr", "none"] as const;

/** Inputs of everything that runs a local command. */
const base: Fields = {
    stdin: { type: "string" },
    logging: { type: "string", choices: loggingChoices },
    interpreter: { type: "list" },
    dir: { type: "string" },
    environment: { type: "map" },
    assetPaths: { type: "list" },
    archivePaths: { type: "list" },
    addPreviousOutputInEnv: { type: "boolean" },
};

/** Inputs that a local and a remote command share. */
export const lifecycleFields: Fields = {
    triggers: { type: "list", replaces: true },
    create: { type: "string" },
    update: { type: "string" },
    delete: { type: "string" },
};

/** Inputs of command:local:Command. */
export const localCommandFields: Fields = { ...lifecycleFields, ...base };

/** Inputs of command:local:run. */
export const localRunFields: Fields = { ...base, command: { type: "string", required: true } };

/** Outputs of a local command. */
export const localOutputs = ["stdout", "stderr"];

/** Whether the logging input lets a stream be shown. */
export function isShown(inputs: Properties, stream: "stdout" | "stderr"): boolean {
    const logging = text(inputs, "logging");
    return logging === undefined || logging === stream || logging === "stdoutAndStderr";
}

/** The output of the run before, as environment variables. */
export function previousOutput(inputs: Properties, previous: Properties): Record<string, string> {
    if (inputs["addPreviousOutputInEnv"] === false) {
        return {};
    }
    const [stdout, stderr] = [text(previous, "stdout"), text(previous, "stderr")];
    return {
        ...(stdout ? { PULUMI_COMMAND_STDOUT: stdout } : {}),
        ...(stderr ? { PULUMI_COMMAND_STDERR: stderr } : {}),
    };
}

/**
 * Runs a command on this machine.
 *
 * @param state inputs and, from the run before, outputs
 * @returns the outputs
 * @throws Error with what it printed when it fails
 */
export async function runLocal(
    command: string,
    state: Properties,
    context: { readonly host: Host; readonly urn: string; readonly signal: AbortSignal },
): Promise<Properties> {
    const inputs = withoutSecrets(state);
    const interpreter = texts(inputs, "interpreter");
    const [program = "/bin/sh", ...args] = interpreter.length > 0 ? interpreter : ["/bin/sh", "-c"];
    const directory = text(inputs, "dir") ?? process.cwd();
    const { code, signal, stdout, stderr, output } = await runProcess(program, [...args, command], {
        cwd: directory,
        env: { ...process.env, ...textMap(inputs, "environment"), ...previousOutput(inputs, inputs) },
        input: text(inputs, "stdin") ?? "",
        signal: context.signal,
        onLine: (line) => context.host.status("info", context.urn, line),
        showStdout: isShown(inputs, "stdout"),
        showStderr: isShown(inputs, "stderr"),
    });
    if (code !== 0) {
        const end = signal === null ? `exit status ${code}` : `signal: ${signal.slice(3).toLowerCase()}`;
        throw new Error(`${end}: running ${JSON.stringify(command)}:\n${output}`);
    }
    const assets = inputs["assetPaths"] === undefined ? undefined : chooseFiles(directory, texts(inputs, "assetPaths"));
    const archived = inputs["archivePaths"] === undefined ? undefined : texts(inputs, "archivePaths");
    return {
        ...(assets ? { assets } : isObject(inputs["assets"]) ? { assets: inputs["assets"] } : {}),
        ...(archived ? { archive: archiveOf(chooseFiles(directory, archived)) } : {}),
        stdout: trimNewline(stdout),
        stderr: trimNewline(stderr),
    };
}
