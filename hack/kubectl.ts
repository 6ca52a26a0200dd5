import { Failure } from "../lib/failure";
import { tool } from "../toolchain/tools";
import { capture } from "./capture";

/** Seconds for an answer of the API server to anything that does not wait by itself. */
const limit = 60;

/** Commands that wait, with a limit of their own. */
const waiting = ["rollout", "wait", "delete", "drain"];

/** Seconds for objects to be removed: without a limit, kubectl waits for as long as a finalizer holds one. */
const removalLimit = 120;

/** kubectl's messages if no server, or another one, answers at the cluster's address. */
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
        const waits = waiting.includes(args[0] ?? "");
        const isLimited = waits || args.includes("--request-timeout");
        const isEndless = args[0] === "delete" && !args.some((each) => /^--(timeout|wait)=/.test(each));
        const options = [
            ...["--kubeconfig", this.kubeconfig],
            ...(isLimited ? [] : [`--request-timeout=${limit}s`]),
            ...(isEndless ? [`--timeout=${removalLimit}s`] : []),
        ];
        try {
            // A login plugin of the kubeconfig has no limit.
            const ends = { limit: waits ? 0 : 2 * limit };
            return await capture(tool("kubectl"), [...options, ...args], { input, failure, ...ends });
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

    /** The items of a list of a kind; undefined if the cluster does not have the kind. */
    async listIfKnown<T>(kind: string, ...options: string[]): Promise<readonly T[] | undefined> {
        return this.list<T>(kind, ...options).catch((error: Error) => {
            if (error.message.includes("the server doesn't have a resource type")) {
                return undefined;
            }
            throw error;
        });
    }
}
