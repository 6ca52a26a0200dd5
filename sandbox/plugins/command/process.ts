import { spawn } from "node:child_process";

/** How a process ended. */
export interface Outcome {
    readonly code: number | null;
    readonly signal: NodeJS.Signals | null;
    readonly stdout: string;
    readonly stderr: string;
    /** Both, in the order in which they came. */
    readonly output: string;
}

/** A process to run. */
export interface ProcessOptions {
    readonly cwd?: string;
    readonly env?: NodeJS.ProcessEnv;
    readonly input?: string;
    readonly signal?: AbortSignal;
    /** Gets each line of the streams that are shown. */
    readonly onLine?: (line: string) => void;
    /** It goes on in the background when it succeeds, and may keep its output open. */
    readonly detaches?: boolean;
    readonly showStdout?: boolean;
    readonly showStderr?: boolean;
}

/** Hands over text line by line; call it without text at the end. */
function lineSplitter(onLine: (line: string) => void): (chunk?: string) => void {
    let rest = "";
    return (chunk) => {
        const lines = (rest + (chunk ?? "")).split("\n");
        rest = chunk === undefined ? "" : (lines.pop() ?? "");
        for (const line of lines) {
            if (chunk !== undefined || line !== "") {
                onLine(line);
            }
        }
    };
}

/**
 * Runs a process to its end.
 *
 * @throws Error when it cannot be started
 */
export function runProcess(program: string, args: readonly string[], options: ProcessOptions): Promise<Outcome> {
    return new Promise((resolve, reject) => {
        const child = spawn(program, args, {
            ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
            ...(options.env === undefined ? {} : { env: options.env }),
            stdio: ["pipe", "pipe", "pipe"],
        });
        const all: Buffer[] = [];
        const collect = (stream: NodeJS.ReadableStream, isShown: boolean | undefined) => {
            const chunks: Buffer[] = [];
            const split = isShown && options.onLine ? lineSplitter(options.onLine) : () => {};
            stream.on("data", (chunk: Buffer) => {
                chunks.push(chunk);
                all.push(chunk);
                split(chunk.toString());
            });
            stream.on("end", () => split());
            return () => Buffer.concat(chunks).toString();
        };
        const stdout = collect(child.stdout, options.showStdout);
        const stderr = collect(child.stderr, options.showStderr);
        const cancel = () => child.kill("SIGKILL");
        options.signal?.addEventListener("abort", cancel);
        // A process that does not read its input is none of our business.
        child.stdin.on("error", () => {});
        child.stdin.end(options.input ?? "");
        child.on("error", reject);
        const finish = (code: number | null, signal: NodeJS.Signals | null) => {
            options.signal?.removeEventListener("abort", cancel);
            resolve({ code, signal, stdout: stdout(), stderr: stderr(), output: Buffer.concat(all).toString() });
        };
        child.on("close", finish);
        child.on("exit", (code, signal) => {
            if (options.detaches && code === 0) {
                child.stdout.destroy();
                child.stderr.destroy();
                finish(code, signal);
            }
        });
    });
}

/** Takes off one line break at the end. */
export function trimNewline(text: string): string {
    return text.endsWith("\n") ? text.slice(0, -1) : text;
}
