/** A word that bash reads as `text`, with any characters. */
export function shellQuote(text: string): string {
    return `'${text.replaceAll("'", "'\\''")}'`;
}
