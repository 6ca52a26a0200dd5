/** Counts completed steps. */
type Advance = (done: number, total: number) => void;

/**
 * Shows running steps and their progress: one changing line on a terminal, lines in a pipe. Steps may run in parallel.
 */
export class Progress {
    readonly #total: number;
    readonly #running = new Map<string, () => string>();
    #started = 0;

    /** @param total number of steps */
    constructor(total: number) {
        this.#total = total;
    }

    /** Runs one step under its title. The line of a failed step reports that, and the error is rethrown. */
    async step<T>(title: string, body: (advance: Advance) => Promise<T>): Promise<T> {
        const label = `[${++this.#started}/${this.#total}] ${title}`;
        const start = Date.now();
        const seconds = () => `${Math.round((Date.now() - start) / 1000)} s`;
        const terminal = process.stderr.isTTY;
        let left = "";
        let tenths = 0;
        const show = terminal ? () => this.#show() : () => {};
        const advance = (done: number, total: number) => {
            const minutes = Math.ceil(((Date.now() - start) * (total - done)) / done / 60_000);
            left = `${Math.floor((100 * done) / total)} %, about ${minutes} min left, `;
            if (!terminal && Math.floor((10 * done) / total) > tenths) {
                tenths = Math.floor((10 * done) / total);
                process.stderr.write(`${label}  ${left}${seconds()}\n`);
            }
        };
        if (!terminal) {
            process.stderr.write(`${label} …\n`);
        }
        this.#running.set(label, () => `${label}  ${left}${seconds()}`);
        show();
        const timer = setInterval(show, 1000);
        const end = (how: string) => {
            clearInterval(timer);
            this.#running.delete(label);
            process.stderr.write(`${terminal ? "\r\x1b[K" : ""}${label}  ${how} ${seconds()}\n`);
            show();
        };
        try {
            const result = await body(advance);
            end("done in");
            return result;
        } catch (error) {
            end("failed after");
            throw error;
        }
    }

    #show(): void {
        const line = [...this.#running.values()].map((each) => each()).join("   ");
        process.stderr.write(`\r\x1b[K${line.slice(0, (process.stderr.columns ?? 80) - 1)}`);
    }
}
