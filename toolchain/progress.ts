/** Tells the user which step runs: one changing line on a terminal, a line per step in a pipe. */
export class Progress {
    readonly #total: number;
    #done = 0;

    /** @param total how many steps there are */
    constructor(total: number) {
        this.#total = total;
    }

    /** Runs one step under its title. The line of a failed step says so, and the error goes on. */
    async step<T>(title: string, body: () => Promise<T>): Promise<T> {
        const label = `[${++this.#done}/${this.#total}] ${title}`;
        const start = Date.now();
        const seconds = () => `${Math.round((Date.now() - start) / 1000)} s`;
        const terminal = process.stderr.isTTY;
        const show = terminal ? () => process.stderr.write(`\r\x1b[K${label}  ${seconds()}`) : () => {};
        if (!terminal) {
            process.stderr.write(`${label} …\n`);
        }
        show();
        const timer = setInterval(show, 1000);
        try {
            const result = await body();
            process.stderr.write(`${terminal ? "\r\x1b[K" : ""}${label}  done in ${seconds()}\n`);
            return result;
        } catch (error) {
            process.stderr.write(`${terminal ? "\r\x1b[K" : ""}${label}  failed after ${seconds()}\n`);
            throw error;
        } finally {
            clearInterval(timer);
        }
    }
}
