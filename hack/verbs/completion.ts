import { root } from "../../lib/root";
import { defineVerb, exitCodes } from "../verb";
import { verbs } from "../verbs";

/**
 * Both shells: each verb completes its own arguments. zsh runs bash's completions by bashcompinit. `complete` matches
 * paths as typed, so that no other command with a verb's name is completed; zsh prefixes a path that begins with a dot
 * with the working directory. Under zsh, yargs adds a description to each word, which bashcompinit would take for a
 * part of it.
 */
const script = (verbs: readonly string[], prelude: string) => `${prelude}_hearth_hack() {
    local IFS=$'\\n'
    COMPREPLY=($(compgen -W "$(SHELL=bash ZSH_NAME= "\${COMP_WORDS[0]}" --get-yargs-completions "\${COMP_WORDS[@]}" 2>/dev/null)" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
for verb in ${verbs.join(" ")}; do
    complete -o default -F _hearth_hack "hack/$verb" "./hack/$verb" ${JSON.stringify(root)}{,/.}"/hack/$verb"
done
unset verb
`;

/** `hack/completion` */
export const verb = defineVerb({
    parameters: "<shell>",
    describe: "Completions of these commands for the shell",
    candidates: () => ["bash", "zsh"],
    options: (parser) =>
        parser.positional("shell", { choices: ["bash", "zsh"] as const, demandOption: true, describe: "The shell" }),
    examples: [[`eval "$(${root}/$0 bash)"`, "in ~/.bashrc; with zsh in ~/.zshrc, after compinit"]],
    run: async ({ shell }) => {
        process.stdout.write(
            script(Object.keys(verbs), shell === "zsh" ? "autoload -U +X bashcompinit && bashcompinit\n" : ""),
        );
        return exitCodes.done;
    },
});
