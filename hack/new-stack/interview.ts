import { isKubeconfigContents, readKubeconfig } from "../../config/kubeconfig";
import { configPath } from "../../config/secrets";
import type { HostKey } from "../host-key";
import { kubeconfigMistake } from "./kubeconfig";
import { askEdge, askNodes } from "./nodes";
import type { Prompter } from "./prompter";
import type { Question, Setting } from "./questions";
import type { StackFile } from "./stack-file";
import type { Vault } from "./vault";

/** Dependencies of the interview for a new stack. */
export interface Interview {
    readonly prompter: Prompter;
    readonly file: StackFile;
    readonly vault: Pick<Vault, "set">;
    readonly settings: readonly Setting[];
    readonly secrets: readonly Question[];
    /** The host key of the machine at an address. */
    readonly askHostKey: (address: string) => Promise<HostKey>;
}

const title = configPath;

/** An existing cluster, by its kubeconfig, or hosts to build one from. */
async function askCluster(interview: Interview, question: Setting): Promise<void> {
    const { prompter, file } = interview;
    if (file.at(["nodes"]) === undefined) {
        await askKubeconfig(interview, question);
    }
    if (file.at(question.path) === undefined) {
        prompter.report("Without a kubeconfig, the cluster is built from hosts with Debian and an sshd.");
        await askNodes(interview);
        await askEdge(interview);
    }
}

async function askKubeconfig({ prompter, file, vault }: Interview, question: Setting): Promise<void> {
    const known = file.at(["context"]);
    const context = typeof known === "string" ? known : undefined;
    const answer = await prompter.text({
        ...question,
        title: title(question.path),
        mistake: (given) =>
            question.mistake(given) ?? (given.trim() === "" ? undefined : kubeconfigMistake(given, context)),
    });
    if (answer.trim() === "") {
        return;
    }
    const isContents = isKubeconfigContents(answer);
    const { server, isLoopback } = readKubeconfig(answer, { context });
    if (isLoopback) {
        prompter.report(
            `Its server is ${server}, which is this machine: in a copy of k3s.yaml from a node, write the node's address.`,
        );
    }
    const keep =
        isContents ||
        (await prompter.confirm(
            `Keep its contents in ${file.path}, encrypted, so that the home is built from any machine?`,
        ));
    if (keep) {
        await vault.set(question.path, readKubeconfig(answer, { context, flatten: true }).value);
    } else {
        file.set(question.path, answer.trim());
    }
}

async function askSetting(interview: Interview, question: Setting): Promise<void> {
    const { prompter, file } = interview;
    const current = file.at(question.path);
    const text = Array.isArray(current) ? current.join(", ") : current;
    if (typeof text === "string" && question.mistake(text) === undefined) {
        prompter.report(`${title(question.path)}: ${text}`);
    } else if (question.path[0] === "kubeconfig") {
        await askCluster(interview, question);
    } else {
        const answer = await prompter.text({ ...question, title: title(question.path) });
        if (answer.trim() !== "") {
            file.set(question.path, question.value(answer));
        }
    }
}

async function askSecret({ prompter, file, vault }: Interview, question: Question): Promise<void> {
    if (file.at(question.path) !== undefined) {
        prompter.report(`${title(question.path)} is set`);
        return;
    }
    const explanation = question.optional ? `${question.explanation} Leave it empty to omit it.` : question.explanation;
    const answer = await prompter.secret({ ...question, explanation, title: title(question.path) });
    if (answer !== "") {
        await vault.set(question.path, answer);
    }
}

/** Prompts for settings that the stack's file does not have yet, and stores each answer there at once. */
export async function interview(about: Interview): Promise<void> {
    for (const question of about.settings) {
        if (question.needs !== undefined && about.file.at(question.needs) === undefined) {
            continue;
        }
        await askSetting(about, question);
    }
    for (const question of about.secrets) {
        await askSecret(about, question);
    }
}
