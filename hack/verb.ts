import yargs, { type ArgumentsCamelCase, type Argv, type FallbackCompletionFunction } from "yargs";
import { Failure } from "../lib/failure";
import { stackNames } from "./stack-names";

/** Exit codes of every verb; a verb may add one of its own. */
export const exitCodes = {
    done: 0,
    failed: 1,
    /** Invalid options or arguments. */
    usage: 2,
} as const;

/** One of the commands in this folder. */
export interface VerbDefinition<T> {
    /** Its arguments in yargs' form: `<chart>` is required, `[chart]` optional. */
    readonly parameters?: string;
    /** Description in a sentence. */
    readonly describe: string;
    /** Candidates for its first argument, for the shell's completion. */
    readonly candidates?: () => readonly string[];
    /** Declares its arguments and options. */
    readonly options: (parser: Argv) => Argv<T>;
    /** Examples for its help, with what each does. */
    readonly examples?: readonly (readonly [command: string, does: string])[];
    /** Its exit codes beyond {@link exitCodes}. */
    readonly exitCodes?: string;
    /** @returns the exit code */
    readonly run: (args: ArgumentsCamelCase<T>) => Promise<number>;
}

/** Function that the main program calls with a verb's name and the rest of the command line. */
export type Verb = (name: string, args: readonly string[]) => Promise<number>;

/** Takes the last value of an option that is given several times, as other programs do; yargs makes a list of them. */
function lastOfEach(parsed: Record<string, unknown>, lists: readonly string[]): void {
    for (const [name, value] of Object.entries(parsed)) {
        if (Array.isArray(value) && !["_", "--", ...lists].includes(name)) {
            parsed[name] = value.at(-1);
        }
    }
}

/**
 * Defines a verb: strict about misspelled options, with help, and with completions for the shell.
 *
 * @returns the verb; it throws a Failure with exit code 2 for invalid arguments
 */
export function defineVerb<T>(definition: VerbDefinition<T>): Verb {
    const { parameters = "", describe, candidates, options, examples = [], run } = definition;
    const declared = (parser: Argv) => {
        const own = options(parser);
        // yargs has this method, but its types omit it.
        const { array }: { readonly array: readonly string[] } = Reflect.get(own, "getOptions").call(own);
        return own.middleware((parsed) => lastOfEach(parsed, array), true);
    };
    const complete: FallbackCompletionFunction = (current, { _: words }, useDefaults, done) => {
        if (["--stack", "-s"].includes(process.argv.at(-2) ?? "")) {
            done(stackNames());
            return;
        }
        useDefaults((_error: unknown, defaults: string[] = []) => {
            const choices = defaults.filter((each) => !each.startsWith("-"));
            // The first word is the verb.
            const others = words.length === 2 && candidates ? [...candidates()] : [];
            done(current.startsWith("-") ? defaults : choices.length > 0 ? choices : others);
        });
    };
    return async (name, args) => {
        let exitCode: number = exitCodes.done;
        // yargs completes the options of commands that have a name; otherwise the verb is the whole program.
        const [flag, , ...words] = args;
        const completing = flag === "--get-yargs-completions";
        await yargs(completing ? [flag, name, ...words] : args)
            .scriptName(`hack/${name}`)
            .command(`${completing ? name : "$0"} ${parameters}`.trim(), describe, declared, async (parsed) => {
                exitCode = await run(parsed);
            })
            .example(examples.map((each) => [...each]))
            .epilogue(`Exit codes: 0 done, 1 failed, 2 invalid arguments${definition.exitCodes ?? ""}.`)
            .completion("completion", false, complete)
            .strict()
            .wrap(Math.min(100, process.stdout.columns ?? 80))
            .version(false)
            .alias("help", "h")
            .fail((message, error) => {
                // yargs throws an error of its own for an option without its value.
                if (error && error.name !== "YError") {
                    throw error;
                }
                throw new Failure(
                    `${message ?? error?.message}\nTry 'hack/${name} --help' for more information.`,
                    exitCodes.usage,
                );
            })
            .locale("en")
            .parseAsync();
        return exitCode;
    };
}
