import { randomBytes } from "node:crypto";
import type { CheckResult, CreateResult, Provider, UpdateResult } from "@pulumi/pulumi/provider";
import type { ShowStatus } from "../engine";
import { check, hasSecrets, type Properties, parseUrn, reveal, secret } from "../properties";
import { commandSchemas } from "./inputs";
import { type Outcome, type ProcessOptions, runProcess } from "./process";
import { runOverSsh } from "./ssh";

type Type = keyof typeof commandSchemas;

function schemaOf(urn: string): (typeof commandSchemas)[Type] {
    const { type } = parseUrn(urn);
    if (!(type in commandSchemas)) {
        throw new Error(`the stand-in for Pulumi's command plugin has no ${type}`);
    }
    return commandSchemas[type as Type];
}

/** The part of Pulumi's command plugin that this repository's program calls. */
export class CommandProvider implements Provider {
    readonly version: string;
    readonly #showStatus: ShowStatus;
    readonly #cancelled = new AbortController();

    constructor(version: string, showStatus: ShowStatus) {
        this.version = version;
        this.#showStatus = showStatus;
    }

    async check(urn: string, _olds: Properties, news: Properties): Promise<CheckResult> {
        return check(schemaOf(urn), news);
    }

    async create(urn: string, inputs: Properties): Promise<CreateResult> {
        const outs = await this.#run("create", urn, inputs);
        return { id: parseUrn(urn).name + randomBytes(4).toString("hex"), outs };
    }

    /** Runs `create` again, as the official plugin does without `update`. */
    async update(_id: string, urn: string, _olds: Properties, news: Properties): Promise<UpdateResult> {
        return { outs: await this.#run("create", urn, news) };
    }

    async delete(_id: string, urn: string, { stdout, stderr, ...inputs }: Properties): Promise<void> {
        if (inputs["delete"] !== undefined) {
            await this.#run("delete", urn, inputs);
        }
    }

    async cancel(): Promise<void> {
        this.#cancelled.abort();
    }

    /** Runs one of a resource's commands and adds its output to the inputs: the state. */
    async #run(action: "create" | "delete", urn: string, inputs: Properties): Promise<Properties> {
        const values = schemaOf(urn).parse(reveal(inputs));
        const { logging, stdin = "" } = values;
        const options = {
            input: stdin,
            signal: this.#cancelled.signal,
            onLine: (stream, line) => {
                if (logging === undefined || logging === stream || logging === "stdoutAndStderr") {
                    this.#showStatus(urn, line);
                }
            },
        } satisfies ProcessOptions;
        const script = ("connection" in values && action === "delete" ? values.delete : values.create) ?? "";
        const outcome = await ("connection" in values
            ? runOverSsh(script, values.connection, {
                  ...options,
                  onRetry: (line) => this.#showStatus(urn, line),
              })
            : runProcess("/bin/sh", ["-c", script], { ...options, environment: values.environment ?? {} }));
        if (outcome.code !== 0) {
            const reason = "connection" in values ? `Process exited with status ${outcome.code}` : end(outcome);
            throw new Error(`${reason}: running ${JSON.stringify(script)}:\n${outcome.output}`);
        }
        const printed = { stdout: outcome.stdout.replace(/\n$/, ""), stderr: outcome.stderr.replace(/\n$/, "") };
        const isSecret = hasSecrets(inputs);
        return {
            ...inputs,
            stdout: isSecret ? secret(printed.stdout) : printed.stdout,
            stderr: isSecret ? secret(printed.stderr) : printed.stderr,
        };
    }
}

/** Exit status of a local process, in Go's words. */
function end({ code, signal }: Outcome): string {
    return signal === null ? `exit status ${code}` : `signal: ${signal.slice(3).toLowerCase()}`;
}
