import { tool } from "../toolchain/tools";
import { capture } from "./capture";

/** kubectl against one cluster. */
export class Kubectl {
    /** @param kubeconfig path of the kubeconfig; its current context is the cluster */
    constructor(readonly kubeconfig: string) {}

    /**
     * What kubectl prints on standard output.
     *
     * @param args of kubectl
     * @param input for its standard input
     * @throws Failure with what it said on standard error, when it fails
     */
    run(args: readonly string[], input?: string): Promise<string> {
        return capture(tool("kubectl"), ["--kubeconfig", this.kubeconfig, ...args], {
            input,
            failure: `kubectl ${args[0]} failed`,
        });
    }

    /** The items of a list: of a kind, with options. */
    async list<T>(kind: string, ...options: string[]): Promise<readonly T[]> {
        const args = ["get", kind, ...options, "--request-timeout", "15s", "--output", "json"];
        return JSON.parse(await this.run(args)).items;
    }
}
