import { defineVerb, exitCodes, verbNames } from "../verb";

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
        process.stdout.write(
            script(verbNames(), shell === "zsh" ? "autoload -U +X bashcompinit && bashcompinit\n" : ""),
        );
        return exitCodes.done;
    },
});
