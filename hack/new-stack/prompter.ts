/** Prompt for a value. */
export interface Asked {
    /** Names the answer: `hearth:nfs.server`. */
    readonly title: string;
    /** Path of the answer among given ones, if it differs from the title. */
    readonly path?: readonly string[];
    readonly explanation: string;
    readonly example?: string;
    /** Mistake in an answer, in words; undefined if it is valid. */
    readonly mistake?: (answer: string) => string | undefined;
}

/** Source of answers: a terminal, or standard input. */
export interface Prompter {
    text(asked: Asked): Promise<string>;
    /** As `text`, but the answer is not shown. */
    secret(asked: Asked): Promise<string>;
    confirm(question: string): Promise<boolean>;
    report(line: string): void;
}
