import { Failure } from "../lib/failure";
import { tool } from "../toolchain/tools";
import { capture } from "./capture";

/** Seconds for an answer of the API server to anything that does not wait by itself. */
const limit = 60;

/** Commands with a limit of their own. */
const waiting = ["rollout", "wait", "delete"];

/** kubectl's messages if nothing answers at the cluster's address, or another server does. */
const unreachable = /Unable to connect to the server|The connection to the server .* was refused|no route to host/;

/** kubectl against one cluster. */
export class Kubectl {
    /** @param kubeconfig path of the kubeconfig; its current context is the cluster */
    constructor(readonly kubeconfig: string) {}

    /**
     * Standard output of kubectl.
     *
     * @param args of kubectl
     * @param input for its standard input
     * @throws Failure with its standard error when it fails
     */
    async run(args: readonly string[], input?: string): Promise<string> {
        const failure = `kubectl ${args[0]} failed`;
        const isLimited = waiting.includes(args[0] ?? "") || args.includes("--request-timeout");
        const options = ["--kubeconfig", this.kubeconfig, ...(isLimited ? [] : [`--request-timeout=${limit}s`])];
        try {
            return await capture(tool("kubectl"), [...options, ...args], { input, failure });
        } catch (error) {
            if (error instanceof Failure && unreachable.test(error.message)) {
                throw new Failure(`${error.message}\nThe cluster does not answer: see \`hack/doctor\``);
            }
            throw error;
        }
    }

    /** The items of a list: of a kind, with options. */
    async list<T>(kind: string, ...options: string[]): Promise<readonly T[]> {
        const args = ["get", kind, ...options, "--request-timeout", "15s", "--output", "json"];
        return JSON.parse(await this.run(args)).items;
    }
}
