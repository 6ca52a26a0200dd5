/**
 * Ends this program when what it prints can reach nobody: its engine was killed. Node's own answer to that is an
 * exception, which the SDK prints, which fails in the same way, for ever and with ever more memory.
 */
export function endWithEngine(): void {
    for (const stream of [process.stdout, process.stderr]) {
        stream.on("error", () => process.exit(1));
    }
}
