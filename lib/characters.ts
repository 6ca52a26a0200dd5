/**
 * Characters that are not shown as what they are: control characters, invisible ones (among them those that turn the
 * direction of the text), separators of lines, and halves of surrogate pairs, which no file in UTF-8 can hold.
 */
const invisible = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u;

/**
 * The longest text of a setting, in UTF-16 units. Pulumi hands a program its whole config in one variable of the
 * environment, which Linux limits to 128 KiB.
 */
export const longest = 65_536;

/** A text on one line, as the terminal shows it. */
export function isLine(text: string): boolean {
    return text.length <= longest && !invisible.test(text);
}

/** A text of any number of lines that Kubernetes, a file and an environment can hold as it is. */
export function isText(text: string): boolean {
    return text.length <= longest && !/[\0\p{Cs}]/u.test(text);
}

/** At most this many characters of a value are repeated in a message. */
const shownLength = 100;

/** Escapes of what a terminal would not show as what it is. */
export function visible(text: string): string {
    return text.replace(new RegExp(invisible, "gu"), (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`);
}

/** The beginning of a text that may be long, for a message. */
export function shortened(text: string): string {
    return text.length > shownLength ? `${text.slice(0, shownLength)}… (${text.length} characters)` : text;
}
