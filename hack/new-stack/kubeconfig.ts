import { KubeconfigError, readKubeconfig } from "../../config/kubeconfig";

/**
 * Mistake in the answer for the kubeconfig; undefined if it could work.
 *
 * @param answer the path of one from the top folder, or its contents
 * @param context the one to use, if it has several
 */
export function kubeconfigMistake(answer: string, context?: string): string | undefined {
    try {
        readKubeconfig(answer, { context });
        return undefined;
    } catch (error) {
        if (error instanceof KubeconfigError) {
            return error.message;
        }
        throw error;
    }
}
