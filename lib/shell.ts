/** A word that bash reads as `text`, whatever characters it has. */
export function shellQuote(text: string): string {
    return `'${text.replaceAll("'", "'\\''")}'`;
}
