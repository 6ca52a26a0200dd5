import { Document, isAlias, isMap, isScalar, type Node, parseAllDocuments, parseDocument, Scalar, visit } from "yaml";
import { shortened, visible } from "../lib/characters";

/** Invalid YAML. The message starts with the line. */
export class YamlError extends Error {
    override readonly name = "YamlError";
}

/** Options for reading YAML. */
export interface YamlOptions {
    /**
     * Reports whether the value at a path of keys is a secret. With it, no message repeats any of the text, and an
     * unquoted secret that would lose a part (to a comment, a tag, an anchor) is rejected.
     */
    readonly isSecret?: (path: readonly string[]) => boolean;
    /** The text was generated for the cluster: every value is the cluster's, and nothing is rejected. */
    readonly generated?: boolean;
}

type Value = string | number | boolean | null;

const words: ReadonlyMap<string, Value> = new Map<string, Value>([
    ...["y", "Y", "yes", "Yes", "YES", "on", "On", "ON", "true", "True", "TRUE"].map((word) => [word, true] as const),
    ...["n", "N", "no", "No", "NO", "off", "Off", "OFF", "false", "False", "FALSE"].map(
        (word) => [word, false] as const,
    ),
    ...["", "~", "null", "Null", "NULL"].map((word) => [word, null] as const),
    ...[".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"].map((word) => [word, Number.POSITIVE_INFINITY] as const),
    ...["-.inf", "-.Inf", "-.INF"].map((word) => [word, Number.NEGATIVE_INFINITY] as const),
    ...[".nan", ".NaN", ".NAN"].map((word) => [word, Number.NaN] as const),
]);

const integers: readonly (readonly [pattern: RegExp, base: number])[] = [
    [/^[-+]?0[bB]([01]+)$/, 2],
    [/^0b[-+]([01]+)$/, 2],
    [/^[-+]?0[oO]?([0-7]+)$/, 8],
    [/^[-+]?0[xX]([0-9a-fA-F]+)$/, 16],
    [/^[-+]?(0|[1-9][0-9]*)$/, 10],
];
const float = /^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$/;

/**
 * The cluster's value for an unquoted scalar. Helm, kubectl and Argo CD read YAML with go-yaml 2, whose rules these
 * are. https://github.com/yaml/go-yaml/blob/v2/resolve.go
 */
export function clusterValue(text: string): Value {
    const word = words.get(text);
    if (word !== undefined) {
        return word;
    }
    const isSeparated = /^[-+\d]/.test(text) || (text.startsWith(".") && !/_(\D|$)|\D_/.test(text));
    const plain = isSeparated ? text.replaceAll("_", "") : text;
    for (const [pattern, base] of integers) {
        const [, digits] = pattern.exec(plain) ?? [];
        if (digits !== undefined) {
            return Number.parseInt(digits, base) * (/^-|^0b-/.test(plain) ? -1 : 1) + 0;
        }
    }
    // A number that is too large for a float is a string there.
    return float.test(plain) && Number.isFinite(Number(plain)) ? Number(plain) : text;
}

/** Dates, which go-yaml 3 (Pulumi, kustomize) reads as times. */
const date = /^\d{4}-\d{1,2}-\d{1,2}([Tt ].*)?$/;

/** Reports whether JSON and this program preserve a number as written. */
const isExact = (value: Value) => typeof value !== "number" || (Number.isFinite(value) && Math.abs(value) < 2 ** 53);

/** Reports whether every reader has this value for an unquoted scalar. */
function isCommon(text: string, value: unknown): boolean {
    const cluster = clusterValue(text);
    return isExact(cluster) && !date.test(text) && (cluster === value || (cluster === 0 && value === 0));
}

/** A string as one line of YAML that every reader parses to the same value. */
export function yamlString(text: string): string {
    // JSON is YAML.
    const isSafe = /^[A-Za-z_][\w./@+-]*$/.test(text) && isCommon(text, text);
    return isSafe ? text : JSON.stringify(text);
}

/** A value as YAML that every reader parses to the same value: ambiguous strings are in quotes. */
export function toYaml(value: unknown): string {
    const document = new Document(value);
    visit(document, {
        Scalar: (_, scalar) => {
            const { value: text } = scalar;
            if (typeof text === "string" && (!isCommon(text, text) || /^[-+]?\d[\d_]*:/.test(text))) {
                scalar.type = Scalar.QUOTE_DOUBLE;
            }
        },
    });
    return document.toString();
}

/** Descriptions of npm yaml's errors, by code: its own messages repeat the text. */
const problems: Readonly<Record<string, string>> = {
    BAD_INDENT: "the indentation is wrong, or a bracket is not closed",
    BAD_SCALAR_START: "a value that begins with a special character: put it in quotes",
    BLOCK_AS_IMPLICIT_KEY: 'a value with ": " in it: put it in quotes',
    DUPLICATE_KEY: "a key that occurs twice",
    MULTILINE_IMPLICIT_KEY: "a key without its colon, or wrong indentation",
    TAB_AS_INDENT: "a tab in the indentation: use spaces",
};
const special = "an unquoted value that begins with & * or !: put it in quotes";

/** Keys of the path to a node. */
function pathTo(ancestors: readonly unknown[]): string[] {
    return ancestors.flatMap((each) =>
        typeof each === "object" && each !== null && "key" in each ? [String(each.key)] : [],
    );
}

const isKept = (tag: string | undefined) =>
    tag === undefined || /^tag:yaml\.org,2002:(str|int|float|bool|null|map|seq)$/.test(tag);

/** Mistakes in a document, by offset in the text; a generated document gets the cluster's values. */
class Inspection {
    constructor(
        private readonly text: string,
        private readonly document: Document,
        private readonly options: YamlOptions,
    ) {}

    /** @throws YamlError for the first mistake */
    run(): void {
        const [error] = this.document.errors;
        if (error) {
            this.refuse(error.pos[0], problems[error.code] ?? "not valid YAML");
        }
        visit(this.document, {
            Alias: (_, alias, ancestors) => {
                const resolved = alias.resolve(this.document);
                if (resolved === undefined) {
                    this.refuse(alias.range?.[0], special);
                }
                if (ancestors.includes(resolved)) {
                    this.refuse(alias.range?.[0], "an alias of an object that contains it");
                }
            },
            Node: (_, node) => {
                if (!isAlias(node) && !isKept(node.tag)) {
                    this.refuse(node.range?.[0], special);
                }
            },
            Pair: (_, { key, value }, ancestors) => {
                if (!isScalar(key) && !isAlias(key)) {
                    this.refuse((value as Node | null)?.range?.[0], "a key that is not a string");
                }
                if (isScalar(key) && key.value === null && !this.options.generated) {
                    this.refuse(key.range?.[0], "a key without a name");
                }
                if (isScalar(key) && key.value === "__proto__") {
                    this.refuse(key.range?.[0], "no key can have this name");
                }
                const path = [...pathTo(ancestors), String(key)];
                if (isScalar(key) && value && this.options.isSecret?.(path)) {
                    this.checkWhole(
                        key,
                        value as Node,
                        ancestors.some((each) => isMap(each) && each.flow),
                    );
                }
            },
        });
        visit(this.document, { Scalar: (_, scalar) => this.checkScalar(scalar) });
    }

    private checkScalar(scalar: Scalar): void {
        const { type, source = "", value, tag, range } = scalar;
        if (type !== Scalar.PLAIN || source === "<<" || tag?.endsWith(":str")) {
            return;
        }
        if (this.options.generated) {
            scalar.value = clusterValue(source);
            if (isExact(clusterValue(source))) {
                return;
            }
        } else if (isCommon(source, value)) {
            return;
        }
        const cluster = clusterValue(source);
        const meant = isExact(cluster) && cluster !== source ? `, or ${cluster}` : "";
        this.refuse(
            range?.[0],
            this.options.isSecret
                ? "an unquoted value that readers parse differently: put it in quotes"
                : `unquoted ${visible(shortened(source))} is parsed differently by different readers: write ${visible(JSON.stringify(shortened(source)))}${meant}`,
        );
    }

    /** An unquoted secret is everything that follows its key in the line. */
    private checkWhole(key: Scalar, value: Node, isFlow: boolean): void {
        const isPlain = isScalar(value) && value.type === Scalar.PLAIN;
        const isMarked = isScalar(value) && (value.anchor !== undefined || value.tag !== undefined);
        if (!isAlias(value) && !isPlain && !isMarked) {
            return;
        }
        const from = key.range?.[1] ?? 0;
        const [rest = ""] = this.text.slice(from).split(/\r?\n/, 1);
        const whole = isPlain && !value.anchor && !value.tag && !value.comment;
        if (!whole || (!isFlow && rest.replace(/^\s*:\s*/, "") !== value.source)) {
            this.refuse(from, "a secret that is truncated without quotes: put it in quotes");
        }
    }

    private refuse(offset: number | undefined, words: string): never {
        throw new YamlError(`line ${this.text.slice(0, offset ?? 0).split("\n").length}: ${words}`);
    }
}

/** @throws YamlError */
function inspected(text: string, options: YamlOptions): Document.Parsed[] {
    const conflict = options.generated ? -1 : text.split("\n").findIndex((line) => /^(<{7}|>{7}) /.test(line));
    if (conflict >= 0) {
        throw new YamlError(
            `line ${conflict + 1}: a merge conflict: keep the lines of one side and remove the markers`,
        );
    }
    try {
        const all = parseAllDocuments(text, {
            merge: true,
            prettyErrors: false,
            logLevel: "silent",
            // Of a duplicate key, the cluster uses the last.
            uniqueKeys: !options.generated,
        });
        const documents = Array.isArray(all) ? all : [];
        for (const document of documents) {
            new Inspection(text, document, options).run();
        }
        return documents;
    } catch (error) {
        // Infinite nesting raises an error of another class.
        throw error instanceof YamlError ? error : new YamlError("line 1: not valid YAML");
    }
}

/**
 * The value of a document that was inspected.
 *
 * @throws YamlError
 */
export function toValue(document: Document): unknown {
    try {
        return document.toJS();
    } catch {
        throw new YamlError(`line 1: an alias that repeats too much, or a merge (<<) of something that is not a map`);
    }
}

/**
 * Reads YAML as the cluster does, or rejects it: Helm, kubectl, kustomize, Argo CD and Pulumi have the same values for
 * the result.
 *
 * @returns the value of each document that is not empty
 * @throws YamlError that names the line
 */
export function readYamlStream(text: string, options: YamlOptions = {}): unknown[] {
    return inspected(text, options)
        .map(toValue)
        .filter((value) => value !== null && value !== undefined);
}

/**
 * {@link readYamlStream} of text with at most one document that is not empty.
 *
 * @returns undefined for empty text
 */
export function readYaml(text: string, options: YamlOptions = {}): unknown {
    const [value, ...more] = readYamlStream(text, options);
    if (more.length > 0) {
        throw new YamlError("line 1: several documents, where one is expected");
    }
    return value;
}

/** The text and value of each document in a stream, for callers that pass on a part of the text. */
export function splitYaml(text: string): { readonly text: string; readonly value: unknown }[] {
    let start = 0;
    return inspected(text, { generated: true }).map((document) => {
        const part = text.slice(start, document.range[2]);
        start = document.range[2];
        return { text: part, value: toValue(document) };
    });
}

/**
 * One document of YAML to be edited with its comments.
 *
 * @throws YamlError as {@link readYaml}
 */
export function editableYaml(text: string, options: YamlOptions = {}): Document {
    const [document, ...more] = inspected(text, options);
    if (more.length > 0) {
        throw new YamlError("line 1: several documents, where one is expected");
    }
    return document ?? parseDocument("");
}
