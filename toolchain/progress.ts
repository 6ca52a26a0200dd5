/** Counts steps that are done. */
type Advance = (done: number, total: number) => void;

/** Shows which step runs, and how much of it is left: one changing line on a terminal, lines in a pipe. */
export class Progress {
    readonly #total: number;
    #done = 0;

    /** @param total how many steps there are */
    constructor(total: number) {
        this.#total = total;
    }

    /** Runs one step under its title. The line of a failed step says so, and the error goes on. */
    async step<T>(title: string, body: (advance: Advance) => Promise<T>): Promise<T> {
        const label = `[${++this.#done}/${this.#total}] ${title}`;
        const start = Date.now();
        const seconds = () => `${Math.round((Date.now() - start) / 1000)} s`;
        const terminal = process.stderr.isTTY;
        let left = "";
        let tenths = 0;
        const show = terminal ? () => process.stderr.write(`\r\x1b[K${label}  ${left}${seconds()}`) : () => {};
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
        show();
        const timer = setInterval(show, 1000);
        try {
            const result = await body(advance);
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
