const binary = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
const decimal: Readonly<Record<string, number>> = { n: -9, u: -6, m: -3, "": 0, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 };

/**
 * Parses a Kubernetes quantity such as 10Gi or 1500M.
 * https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity
 *
 * @throws Error for any other string
 */
export function parseQuantity(text: string): number {
    const [, digits = "", suffix = ""] = text.match(/^([+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?)([A-Za-z]*)$/) ?? [];
    const exponent = decimal[suffix];
    const power = binary.indexOf(suffix);
    if (digits === "" || (exponent === undefined && power < 1)) {
        throw new Error(`${text} is not a quantity`);
    }
    return Number(digits) * (exponent === undefined ? 1024 ** power : 10 ** exponent);
}
