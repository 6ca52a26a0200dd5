/** A word that bash reads as `text`, whatever is in it. */
export function shellQuote(text: string): string {
    return `'${text.replaceAll("'", "'\\''")}'`;
}
