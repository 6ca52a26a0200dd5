import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

/** Result of a process. */
export interface Outcome {
    readonly code: number | null;
    readonly signal: NodeJS.Signals | null;
    readonly stdout: string;
    readonly stderr: string;
    /** Both, in the order of their arrival. */
    readonly output: string;
}

/** Options of {@link runProcess}. */
export interface ProcessOptions {
    readonly input?: string;
    /** Variables in addition to those of this process. */
    readonly environment?: Readonly<Record<string, string>>;
    /** Kills the process. */
    readonly signal?: AbortSignal;
    /** Takes each line as it is printed. */
    readonly onLine?: (stream: "stdout" | "stderr", line: string) => void;
    /** The process succeeds by forking into the background, where it may keep its output open. */
    readonly detaches?: boolean;
}

/**
 * Runs a process to its end.
 *
 * @throws Error when it cannot be started
 */
export function runProcess(program: string, args: readonly string[], options: ProcessOptions = {}): Promise<Outcome> {
    return new Promise((resolve, reject) => {
        const child = spawn(program, args, {
            stdio: ["pipe", "pipe", "pipe"],
            env: { ...process.env, ...options.environment },
        });
        const printed: { readonly stream: "stdout" | "stderr"; readonly chunk: Buffer }[] = [];
        for (const stream of ["stdout", "stderr"] as const) {
            child[stream].on("data", (chunk: Buffer) => printed.push({ stream, chunk }));
            if (options.onLine) {
                createInterface({ input: child[stream] }).on("line", (line) => options.onLine?.(stream, line));
            }
        }
        const text = (stream?: "stdout" | "stderr") =>
            Buffer.concat(
                printed.flatMap((each) => (stream === undefined || each.stream === stream ? [each.chunk] : [])),
            ).toString();
        const kill = () => child.kill("SIGKILL");
        options.signal?.addEventListener("abort", kill);
        // A process may end without reading its input.
        child.stdin.on("error", () => {});
        child.stdin.end(options.input ?? "");
        const finish = (code: number | null, signal: NodeJS.Signals | null) => {
            options.signal?.removeEventListener("abort", kill);
            resolve({ code, signal, stdout: text("stdout"), stderr: text("stderr"), output: text() });
        };
        child.on("error", reject);
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
