/** Progress display: one line that changes on a terminal, a line for each new step elsewhere. */
export class Progress {
    #shown = "";

    /** @param out standard error, which leaves standard output to results */
    constructor(private readonly out: NodeJS.WriteStream = process.stderr) {}

    /** Shows a state such as "restore: 42 %, 1.2 GB"; the part before the colon is the step. */
    report(state: string): void {
        if (this.out.isTTY) {
            this.out.write(`\r\u001b[K${state.slice(0, (this.out.columns ?? 80) - 1)}`);
        } else if (state.split(": ")[0] !== this.#shown.split(": ")[0]) {
            this.out.write(`${state}\n`);
        }
        this.#shown = state;
    }

    /** Removes the line of a terminal. */
    clear(): void {
        if (this.out.isTTY && this.#shown !== "") {
            this.out.write("\r\u001b[K");
        }
        this.#shown = "";
    }
}
