import { randomInt } from "node:crypto";

/** Which characters a random string has. */
export interface StringOptions {
    readonly length: number;
    readonly upper: boolean;
    readonly lower: boolean;
    readonly numeric: boolean;
    readonly special: boolean;
    readonly minUpper: number;
    readonly minLower: number;
    readonly minNumeric: number;
    readonly minSpecial: number;
    /** Special characters in place of the usual ones; "" for those. */
    readonly overrideSpecial: string;
}

const upper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const lower = upper.toLowerCase();
const numeric = "0123456789";
const special = "!@#$%&*()-_=+[]{}<>:?";

function pick(alphabet: string, count: number): string[] {
    return Array.from({ length: count }, () => alphabet.charAt(randomInt(alphabet.length)));
}

/** A random string: as many characters of each class as are asked for at least, the rest of any, shuffled. */
export function randomString(options: StringOptions): string {
    const specials = options.overrideSpecial || special;
    const any = [
        options.upper ? upper : "",
        options.lower ? lower : "",
        options.numeric ? numeric : "",
        options.special ? specials : "",
    ].join("");
    const characters = [
        ...pick(numeric, options.minNumeric),
        ...pick(lower, options.minLower),
        ...pick(upper, options.minUpper),
        ...pick(specials, options.minSpecial),
    ];
    characters.push(...pick(any, options.length - characters.length));
    for (let index = characters.length - 1; index > 0; index--) {
        const other = randomInt(index + 1);
        [characters[index], characters[other]] = [characters[other] ?? "", characters[index] ?? ""];
    }
    return characters.join("");
}
