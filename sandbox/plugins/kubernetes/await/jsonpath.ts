import { equal, isObject, type Value } from "../../shared/values";

// JSONPath as RFC 9535 has it: names, indexes, slices, wildcards, descendants, and filters with comparisons,
// existence tests, logical operators and the functions length, count, match, search and value.

type Nodes = readonly Value[];
type Select = (node: Value, root: Value) => Nodes;
type Test = (node: Value, root: Value) => boolean;
/** A comparable value; undefined stands for nothing. */
type Operand = (node: Value, root: Value) => Value | undefined;

/** A parsed JSONPath. */
export interface JsonPath {
    /** The nodes that it selects. */
    select(document: Value): Nodes;
}

function children(node: Value): Nodes {
    return Array.isArray(node) ? node : isObject(node) ? Object.values(node) : [];
}

function descendants(node: Value): Nodes {
    return [node, ...children(node).flatMap(descendants)];
}

function sliced(node: Value, start: number | undefined, end: number | undefined, step: number): Nodes {
    if (!Array.isArray(node) || step === 0) {
        return [];
    }
    const { length } = node;
    const normal = (index: number) => (index >= 0 ? index : length + index);
    const clamp = (index: number, low: number, high: number) => Math.min(Math.max(index, low), high);
    const picked: Value[] = [];
    if (step > 0) {
        const last = clamp(normal(end ?? length), 0, length);
        for (let index = clamp(normal(start ?? 0), 0, length); index < last; index += step) {
            picked.push(node[index] ?? null);
        }
    } else {
        const last = clamp(end === undefined ? -1 : normal(end), -1, length - 1);
        for (let index = clamp(normal(start ?? length - 1), -1, length - 1); index > last; index += step) {
            picked.push(node[index] ?? null);
        }
    }
    return picked;
}

const comparisons: Record<string, (left: Value | undefined, right: Value | undefined) => boolean> = {
    "==": (left, right) => equal(left, right),
    "!=": (left, right) => !equal(left, right),
    "<": (left, right) => less(left, right),
    ">": (left, right) => less(right, left),
    "<=": (left, right) => less(left, right) || equal(left, right),
    ">=": (left, right) => less(right, left) || equal(left, right),
};

function less(left: Value | undefined, right: Value | undefined): boolean {
    const numbers = typeof left === "number" && typeof right === "number" && left < right;
    const strings = typeof left === "string" && typeof right === "string" && left < right;
    return numbers || strings;
}

function lengthOf(value: Value | undefined): Value | undefined {
    if (typeof value === "string") {
        return [...value].length;
    }
    return Array.isArray(value) ? value.length : isObject(value) ? Object.keys(value).length : undefined;
}

function matches(text: Value | undefined, pattern: Value | undefined, whole: boolean): boolean {
    if (typeof text !== "string" || typeof pattern !== "string") {
        return false;
    }
    try {
        return new RegExp(whole ? `^(?:${pattern})$` : pattern, "u").test(text);
    } catch {
        return false;
    }
}

/** Reads a JSONPath from left to right. */
class Parser {
    readonly #text: string;
    #position = 0;

    constructor(text: string) {
        this.#text = text;
    }

    parse(): JsonPath {
        this.#expect("$");
        const segments = this.#segments();
        if (this.#position < this.#text.length) {
            this.#fail(`unexpected ${JSON.stringify(this.#text[this.#position])}`);
        }
        return { select: (document) => run(segments, document, document) };
    }

    #segments(): Select[] {
        const segments: Select[] = [];
        for (;;) {
            const start = this.#position;
            this.#space();
            if (this.#take("..")) {
                const inner = this.#peek() === "[" ? this.#bracket() : this.#shorthand();
                segments.push((node, root) => descendants(node).flatMap((each) => inner(each, root)));
            } else if (this.#take(".")) {
                segments.push(this.#shorthand());
            } else if (this.#peek() === "[") {
                segments.push(this.#bracket());
            } else {
                this.#position = start;
                return segments;
            }
        }
    }

    #shorthand(): Select {
        if (this.#take("*")) {
            return children;
        }
        const name = this.#match(/[A-Za-z_\u0080-\u{10FFFF}][A-Za-z0-9_\u0080-\u{10FFFF}]*/uy);
        return name === undefined ? this.#fail("a name or * has to follow the dot") : byName(name);
    }

    #bracket(): Select {
        this.#expect("[");
        const selectors: Select[] = [];
        do {
            this.#space();
            selectors.push(this.#selector());
            this.#space();
        } while (this.#take(","));
        this.#expect("]");
        return (node, root) => selectors.flatMap((select) => select(node, root));
    }

    #selector(): Select {
        if (this.#take("*")) {
            return children;
        }
        if (this.#take("?")) {
            const test = this.#or();
            return (node, root) => children(node).filter((each) => test(each, root));
        }
        if (this.#peek() === "'" || this.#peek() === '"') {
            return byName(this.#string());
        }
        const start = this.#integer();
        this.#space();
        if (!this.#take(":")) {
            return start === undefined ? this.#fail("a selector is missing") : byIndex(start);
        }
        this.#space();
        const end = this.#integer();
        this.#space();
        const hasStep = this.#take(":");
        this.#space();
        const step = hasStep ? (this.#integer() ?? 1) : 1;
        return (node) => sliced(node, start, end, step);
    }

    #or(): Test {
        const tests = [this.#and()];
        while (this.#takeAfterSpace("||")) {
            tests.push(this.#and());
        }
        return (node, root) => tests.some((test) => test(node, root));
    }

    #and(): Test {
        const tests = [this.#basic()];
        while (this.#takeAfterSpace("&&")) {
            tests.push(this.#basic());
        }
        return (node, root) => tests.every((test) => test(node, root));
    }

    #basic(): Test {
        this.#space();
        if (this.#take("!")) {
            const test = this.#basic();
            return (node, root) => !test(node, root);
        }
        if (this.#take("(")) {
            const test = this.#or();
            this.#space();
            this.#expect(")");
            return test;
        }
        const start = this.#position;
        const logical = this.#match(/(?:match|search)(?=\()/y);
        if (logical !== undefined) {
            const [text, pattern] = this.#arguments();
            return (node, root) => matches(text?.(node, root), pattern?.(node, root), logical === "match");
        }
        const left = this.#operand();
        this.#space();
        const operator = this.#match(/==|!=|<=|>=|<|>/y);
        const compare = operator === undefined ? undefined : comparisons[operator];
        if (compare) {
            this.#space();
            const right = this.#operand();
            return (node, root) => compare(left(node, root), right(node, root));
        }
        this.#position = start;
        const select = this.#query();
        return select ? (node, root) => select(node, root).length > 0 : this.#fail("a comparison is missing");
    }

    #operand(): Operand {
        const select = this.#query();
        if (select) {
            return (node, root) => select(node, root)[0];
        }
        const name = this.#match(/(?:length|count|value)(?=\()/y);
        if (name === "length") {
            const [argument] = this.#arguments();
            return (node, root) => lengthOf(argument?.(node, root));
        }
        if (name !== undefined) {
            this.#expect("(");
            this.#space();
            const nodes = this.#query() ?? this.#fail(`${name}() takes a query`);
            this.#space();
            this.#expect(")");
            return (node, root) => {
                const found = nodes(node, root);
                return name === "count" ? found.length : found.length === 1 ? found[0] : undefined;
            };
        }
        const literal = this.#literal();
        return () => literal;
    }

    #arguments(): Operand[] {
        this.#expect("(");
        const operands: Operand[] = [];
        do {
            this.#space();
            operands.push(this.#operand());
            this.#space();
        } while (this.#take(","));
        this.#expect(")");
        return operands;
    }

    #query(): Select | undefined {
        if (this.#take("@")) {
            const segments = this.#segments();
            return (node, root) => run(segments, node, root);
        }
        if (this.#take("$")) {
            const segments = this.#segments();
            return (_, root) => run(segments, root, root);
        }
        return undefined;
    }

    #literal(): Value {
        if (this.#peek() === "'" || this.#peek() === '"') {
            return this.#string();
        }
        const word = this.#match(/true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y);
        return word === undefined ? this.#fail("a value is missing") : (JSON.parse(word) as Value);
    }

    #string(): string {
        const quoted = this.#match(/'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"/y);
        if (quoted === undefined) {
            return this.#fail("a string has no end");
        }
        const inner = quoted.slice(1, -1).replace(/\\'/g, "'");
        const escaped = quoted.startsWith("'") ? inner.replace(/(?<!\\)"/g, '\\"') : inner;
        return JSON.parse(`"${escaped}"`) as string;
    }

    #integer(): number | undefined {
        const digits = this.#match(/-?(?:0|[1-9]\d*)/y);
        return digits === undefined ? undefined : Number(digits);
    }

    #space(): void {
        this.#match(/[ \t\r\n]*/y);
    }

    #peek(): string | undefined {
        return this.#text[this.#position];
    }

    #take(token: string): boolean {
        const found = this.#text.startsWith(token, this.#position);
        this.#position += found ? token.length : 0;
        return found;
    }

    #takeAfterSpace(token: string): boolean {
        this.#space();
        return this.#take(token);
    }

    #expect(token: string): void {
        if (!this.#take(token)) {
            this.#fail(`${JSON.stringify(token)} is missing`);
        }
    }

    #match(pattern: RegExp): string | undefined {
        pattern.lastIndex = this.#position;
        const found = pattern.exec(this.#text)?.[0];
        this.#position += found?.length ?? 0;
        return found;
    }

    #fail(reason: string): never {
        throw new Error(`jsonpath: ${reason} at position ${this.#position + 1}`);
    }
}

function byName(name: string): Select {
    return (node) => {
        const found = isObject(node) ? node[name] : undefined;
        return found === undefined ? [] : [found];
    };
}

function byIndex(index: number): Select {
    return (node) => {
        const found = Array.isArray(node) ? node.at(index) : undefined;
        return found === undefined ? [] : [found];
    };
}

function run(segments: readonly Select[], start: Value, root: Value): Nodes {
    return segments.reduce<Nodes>((nodes, select) => nodes.flatMap((node) => [...select(node, root)]), [start]);
}

/**
 * Parses a JSONPath such as $.status.conditions[?@.type == "Ready"].status.
 *
 * @throws Error with the position of the mistake
 */
export function parseJsonPath(text: string): JsonPath {
    return new Parser(text).parse();
}
