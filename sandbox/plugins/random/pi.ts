/** arctan(1/x), scaled by 2^bits. */
function inverseArctan(x: bigint, bits: bigint): bigint {
    let power = (1n << bits) / x;
    let sum = power;
    const square = x * x;
    for (let divisor = 3n, sign = -1n; power !== 0n; divisor += 2n, sign = -sign) {
        power /= square;
        sum += (sign * power) / divisor;
    }
    return sum;
}

/**
 * The first words of the fraction of pi, 32 bits each: what Blowfish starts from.
 *
 * @param count how many words
 */
export function piWords(count: number): Int32Array {
    // Some bits more than needed, which take up the rounding.
    const guard = 64n;
    const wanted = BigInt(count * 32);
    const bits = wanted + guard;
    const pi = 16n * inverseArctan(5n, bits) - 4n * inverseArctan(239n, bits);
    const fraction = (pi & ((1n << bits) - 1n)) >> guard;
    const digits = fraction.toString(16).padStart(count * 8, "0");
    return Int32Array.from({ length: count }, (_, index) =>
        Number.parseInt(digits.slice(index * 8, index * 8 + 8), 16),
    );
}
