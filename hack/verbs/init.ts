import { text as readAll } from "node:stream/consumers";
import { readApplications } from "../../components/applications";
import { readSecretDeclarations, type SecretDeclarations } from "../../components/secret-declarations";
import { settingsSchema } from "../../config/schema";
import { checkSize } from "../../config/stack-file";
import { Failure } from "../../lib/failure";
import { root } from "../../lib/root";
import { interruptionSignal } from "../../lib/run";
import { askHostKey } from "../host-key";
import { type Answers, answering, checkConfig, keepSettings, merge, readAnswers } from "../new-stack/answers";
import { interview } from "../new-stack/interview";
import { kubeconfigMistake } from "../new-stack/kubeconfig";
import { nameMistake } from "../new-stack/name";
import type { Prompter } from "../new-stack/prompter";
import { secretQuestions, settingQuestions } from "../new-stack/questions";
import { readConfigMap, StackFile } from "../new-stack/stack-file";
import { terminal } from "../new-stack/terminal";
import { Vault } from "../new-stack/vault";
import { defineVerb, exitCodes } from "../verb";

const exampleFile = "Pulumi.home.yaml";

/** Minimum length of a new passphrase: anybody with the repository can try any number of them. */
const shortest = 12;

/** Variables from which Pulumi reads the passphrase. */
const passphraseVariables = ["PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"] as const;

/** Prompts at the terminal, if there is one. */
async function findPrompter(): Promise<Prompter | undefined> {
    if (!process.stdin.isTTY || !process.stdout.isTTY) {
        return undefined;
    }
    return terminal(
        interruptionSignal,
        () => new Failure("interrupted; your answers are kept: rerun it to continue", 130),
    );
}

async function stackName(prompter: Prompter | undefined, given: string | undefined): Promise<string> {
    if (given === undefined && prompter) {
        const explanation = "Name of this Pulumi stack; its settings are kept in Pulumi.<name>.yaml.";
        return prompter.text({ title: "Name of the stack", explanation, example: "my-home", mistake: nameMistake });
    }
    if (given === undefined) {
        throw new Failure("stdin is not a terminal: name the stack, hack/init <stack>", exitCodes.usage);
    }
    const mistake = nameMistake(given);
    if (mistake !== undefined) {
        throw new Failure(`invalid name of the stack: got ${JSON.stringify(given)}, ${mistake}`, exitCodes.usage);
    }
    return given;
}

async function newPassphrase(prompter: Prompter): Promise<string> {
    const passphrase = await prompter.secret({
        title: "A new passphrase",
        explanation:
            "It encrypts every secret of this home. Keep it where you keep your passwords: without it they are lost.",
        mistake: (answer) => (answer.length < shortest ? `expected at least ${shortest} characters` : undefined),
    });
    await prompter.secret({
        title: "Repeat the passphrase",
        explanation: "",
        mistake: (answer) => (answer === passphrase ? undefined : "expected the same passphrase"),
    });
    return passphrase;
}

/**
 * Pulumi with the right passphrase: the one of its own environment, or else one from a prompt.
 *
 * @throws Failure when the one in the environment is wrong, or when there is none and no terminal
 */
async function openVault(prompter: Prompter | undefined, file: StackFile): Promise<Vault> {
    const encryption = file.encryption();
    const variable = passphraseVariables.find((name) => process.env[name]);
    if (encryption === "service" || variable !== undefined) {
        const vault = new Vault(file.stack, undefined);
        if (encryption !== undefined && !(await vault.opens(file.path))) {
            throw new Failure(`${variable} is not the passphrase of ${file.path}`);
        }
        return vault;
    }
    if (!prompter) {
        throw new Failure(`no passphrase: set ${passphraseVariables.join(" or ")}`, exitCodes.usage);
    }
    if (encryption === undefined) {
        return new Vault(file.stack, await newPassphrase(prompter));
    }
    for (let explanation = ""; ; explanation = "Wrong passphrase.") {
        const vault = new Vault(
            file.stack,
            await prompter.secret({ title: `Passphrase of ${file.path}`, explanation }),
        );
        if (await vault.opens(file.path)) {
            return vault;
        }
    }
}

function readDeclarations(cluster: unknown): SecretDeclarations {
    const folder = settingsSchema.shape.cluster.parse(cluster);
    const names = readApplications(root, folder).map((each) => each.name);
    return readSecretDeclarations(root, names);
}

/** @throws Failure that lists everything that is missing or wrong, before anything is written */
function checkAnswers(file: StackFile, answers: Answers, declarations: SecretDeclarations): void {
    const config = merge(answers, file.config());
    checkConfig(`Mistakes in the answers for ${file.path}:`, config, declarations, file.stack);
    const { kubeconfig } = answers;
    const context = typeof config["context"] === "string" ? config["context"] : undefined;
    const mistake =
        file.at(["kubeconfig"]) === undefined &&
        typeof kubeconfig === "string" &&
        kubeconfigMistake(kubeconfig, context);
    if (mistake) {
        throw new Failure(mistake, exitCodes.usage);
    }
    checkSize(file.path, JSON.stringify(answers).length + file.size());
}

function nextSteps({ stack, path }: StackFile, declarations: SecretDeclarations): string {
    const generated = Object.values(declarations)
        .flatMap((keys) => Object.values(keys))
        .filter((each) => "generate" in each).length;
    return [
        "",
        `${path} is complete. ${generated} more secrets are generated by the first \`pulumi up\`.`,
        `Commit        git add ${path} && git commit`,
        `Passphrase    read -rs PULUMI_CONFIG_PASSPHRASE && export PULUMI_CONFIG_PASSPHRASE`,
        `Preview       npx pulumi preview --stack ${stack}`,
        `Build         npx pulumi up --stack ${stack}`,
        "",
    ].join("\n");
}

/** `hack/init` */
export const verb = defineVerb({
    parameters: "[stack]",
    describe: "Create a stack: prompts for settings without a default; rerun it to continue",
    options: (parser) => parser.positional("stack", { type: "string", describe: "Its name; prompted for by default" }),
    examples: [
        ["$0", "prompt for every setting"],
        ["$0 my-home < answers.yaml", "read the answers from a file, in the form of a stack's config"],
    ],
    run: async ({ stack }) => {
        const prompter = await findPrompter();
        const example = readConfigMap(exampleFile);
        const file = new StackFile(await stackName(prompter, stack), example);
        const settings = settingQuestions(example, settingsSchema);
        const answers = readAnswers(prompter ? "" : await readAll(process.stdin));
        const config = file.config();
        const declarations = readDeclarations(config["cluster"] ?? answers["cluster"]);
        if (!prompter) {
            checkAnswers(file, answers, declarations);
        }
        const vault = await openVault(prompter, file);
        await vault.createStack();
        await keepSettings(file, vault, answers);
        await interview({
            prompter: prompter ?? answering(answers, (line) => process.stdout.write(`${line}\n`)),
            file,
            vault,
            settings,
            secrets: secretQuestions(declarations, answers.secrets),
            askHostKey,
        });
        checkSize(file.path, file.size());
        checkConfig(
            `Left to set in ${file.path}, with \`pulumi config set\`:`,
            file.config(),
            declarations,
            file.stack,
        );
        process.stdout.write(nextSteps(file, declarations));
        return exitCodes.done;
    },
});
