/**
 * A string as a Secret's data stores it.
 *
 * @param text undefined in a run with `--target` that leaves out both the Secret and the resource that generates its
 * value
 */
export function base64(text: string | undefined): string {
    return Buffer.from(text ?? "").toString("base64");
}
