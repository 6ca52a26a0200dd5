/**
 * Characters that are not shown as themselves: control characters, invisible ones (including those that change the text
 * direction), line separators, and halves of surrogate pairs, which no UTF-8 file can hold.
 */
const invisible = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u;

/**
 * Maximum length of a setting, in UTF-16 units. Pulumi passes a program its whole config in one environment variable,
 * which Linux limits to 128 KiB.
 */
export const longest = 65_536;

/** A string on one line, as the terminal shows it. */
export function isLine(text: string): boolean {
    return text.length <= longest && !invisible.test(text);
}

/** A string of any number of lines that Kubernetes, a file and an environment can hold unchanged. */
export function isText(text: string): boolean {
    return text.length <= longest && !/[\0\p{Cs}]/u.test(text);
}

/** Maximum number of characters of a value that a message repeats. */
const shownLength = 100;

/** Escapes of characters that a terminal would not show as themselves. */
export function visible(text: string): string {
    return text.replace(new RegExp(invisible, "gu"), (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`);
}

/** The beginning of a string that may be long, for a message. */
export function shortened(text: string): string {
    return text.length > shownLength ? `${text.slice(0, shownLength)}… (${text.length} characters)` : text;
}
