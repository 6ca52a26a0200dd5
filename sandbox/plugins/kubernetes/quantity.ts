import type { Value } from "../shared/values";

const binary = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
const decimal = new Map<string, number>([
    ["n", -9],
    ["u", -6],
    ["m", -3],
    ["", 0],
    ["k", 3],
    ["M", 6],
    ["G", 9],
    ["T", 12],
    ["P", 15],
    ["E", 18],
]);

/**
 * A Kubernetes quantity in its canonical form: the largest suffix with which the number stays whole (1024Mi is 1Gi,
 * 0.5 is 500m). What is no quantity is returned as it is.
 */
export function canonicalQuantity(value: Value): Value {
    const text = typeof value === "number" ? String(value) : typeof value === "string" ? value : "";
    const [, sign = "", whole = "", fraction = "", suffix = ""] =
        /^([+-]?)(\d*)(?:\.(\d*))?([KMGTPE]i|[numkMGTPE]|[eE][+-]?\d+)?$/.exec(text) ?? [];
    if (whole === "" && fraction === "") {
        return value;
    }
    const minus = sign === "-" ? "-" : "";
    const digits = BigInt(whole + fraction || "0");
    if (suffix.endsWith("i")) {
        const power = binary.indexOf(suffix);
        const scaled = digits * 1024n ** BigInt(power);
        const scale = 10n ** BigInt(fraction.length);
        return scaled % scale === 0n ? minus + binaryForm(scaled / scale) : value;
    }
    const exponent = /^[eE]/.test(suffix) ? Number(suffix.slice(1)) : (decimal.get(suffix) ?? 0);
    return minus + decimalForm(digits, exponent - fraction.length, /^[eE]/.test(suffix));
}

function binaryForm(number: bigint): string {
    let [rest, power] = [number, 0];
    while (rest !== 0n && rest % 1024n === 0n && power < binary.length - 1) {
        rest /= 1024n;
        power++;
    }
    return `${rest}${binary[power]}`;
}

function decimalForm(digits: bigint, exponent: number, scientific: boolean): string {
    if (digits === 0n) {
        return "0";
    }
    // Whole multiples of a thousand, nothing finer than nano: the API server rounds up below that.
    let [rest, power] = [digits, exponent];
    while (power < -9) {
        rest = (rest + 9n) / 10n;
        power++;
    }
    while (rest % 10n === 0n) {
        rest /= 10n;
        power++;
    }
    while (power % 3 !== 0 || power > 18) {
        rest *= 10n;
        power--;
    }
    const suffix = [...decimal].find(([, each]) => each === power)?.[0] ?? "";
    return `${rest}${scientific && power !== 0 ? `e${power}` : suffix}`;
}
