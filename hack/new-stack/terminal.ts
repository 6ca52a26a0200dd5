import type { Asked, Prompter } from "./prompter";

/**
 * A user at the terminal.
 *
 * @param signal ends the open prompt
 * @param cancel error to throw when a prompt is ended, by the signal or by Ctrl-C
 */
export async function terminal(signal: AbortSignal, cancel: () => Error): Promise<Prompter> {
    // It has no form that `require` can load.
    const { confirm, log, password, text } = await import("@clack/prompts");
    async function answered<T>(question: Promise<T | symbol>): Promise<T> {
        const answer = await question;
        if (typeof answer === "symbol") {
            throw cancel();
        }
        return answer;
    }
    function options({ title, explanation, mistake }: Asked) {
        if (explanation !== "") {
            log.info(explanation);
        }
        return { message: title, validate: (answer: string | undefined) => mistake?.(answer ?? ""), signal };
    }
    return {
        text: (asked) =>
            answered<string>(
                text({ ...options(asked), ...(asked.example && { placeholder: `for instance ${asked.example}` }) }),
            ),
        // A hidden answer is typed again after a mistake, not corrected.
        secret: (asked) => answered<string>(password({ ...options(asked), clearOnError: true })),
        confirm: (question) => answered<boolean>(confirm({ message: question, signal })),
        report: (line) => log.step(line),
    };
}
