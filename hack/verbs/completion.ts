import { readdirSync } from "node:fs";
import { join } from "node:path";
import { defineVerb, exitCodes } from "../verb";

/**
 * Both shells: each verb answers for itself what may come next. zsh runs bash's completions by bashcompinit.
 * `complete` takes the path as it is typed, so that nothing else by the name of a verb is completed.
 */
const script = (verbs: readonly string[], prelude: string) => `${prelude}_hearth_hack() {
    local IFS=$'\\n'
    COMPREPLY=($(compgen -W "$("\${COMP_WORDS[0]}" --get-yargs-completions "\${COMP_WORDS[@]}" 2>/dev/null)" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _hearth_hack ${verbs.flatMap((verb) => [`hack/${verb}`, `./hack/${verb}`]).join(" ")}
`;

/** `hack/completion` */
export const verb = defineVerb({
    parameters: "<shell>",
    describe: "Completions of these commands for the shell",
    candidates: () => ["bash", "zsh"],
    options: (parser) =>
        parser.positional("shell", { choices: ["bash", "zsh"] as const, demandOption: true, describe: "The shell" }),
    examples: [['eval "$($0 bash)"', "in ~/.bashrc, with the path of this checkout"]],
    run: async ({ shell }) => {
        const verbs = readdirSync(join(__dirname)).map((file) => file.replace(/\.ts$/, ""));
        process.stdout.write(script(verbs, shell === "zsh" ? "autoload -U +X bashcompinit && bashcompinit\n" : ""));
        return exitCodes.done;
    },
});
