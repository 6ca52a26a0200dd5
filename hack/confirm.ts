import { createInterface } from "node:readline/promises";
import { Failure } from "../lib/failure";
import { interruptionSignal, throwIfInterrupted } from "../lib/run";
import { exitCodes } from "./verb";

/**
 * Prompts for a confirmation, for which only "y" counts.
 *
 * @throws Failure when stdin is not a terminal
 */
export async function confirmed(question: string): Promise<boolean> {
    if (!process.stdin.isTTY) {
        throw new Failure("stdin is not a terminal: pass --yes to skip the confirmation", exitCodes.usage);
    }
    // The terminal's own echo and Ctrl-C, which ends this command like any other.
    const terminal = createInterface({ input: process.stdin, output: process.stdout, terminal: false });
    try {
        const answer = await terminal.question(`${question} [y/N] `, { signal: interruptionSignal });
        return answer.trim().toLowerCase() === "y";
    } catch (error) {
        throwIfInterrupted();
        throw error;
    } finally {
        terminal.close();
    }
}
