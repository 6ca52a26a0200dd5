/** What is asked, as a person sees it. */
export interface Asked {
    /** Names the answer: `hearth:nfs.server`. */
    readonly title: string;
    /** Where the answer is among given ones, if not where the title says. */
    readonly path?: readonly string[];
    readonly explanation: string;
    readonly example?: string;
    /** What is wrong with an answer, in words; undefined if it is accepted. */
    readonly mistake?: (answer: string) => string | undefined;
}

/** Who answers. */
export interface Person {
    text(asked: Asked): Promise<string>;
    /** As `text`, and the answer is not shown. */
    secret(asked: Asked): Promise<string>;
    confirm(question: string): Promise<boolean>;
    tell(line: string): void;
}
