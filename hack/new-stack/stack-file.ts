import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { type Document, isMap, Pair, Scalar, YAMLMap } from "yaml";
import { configSize, readStackFile, stackFileName } from "../../config/stack-file";
import { editableYaml, YamlError } from "../../config/yaml";
import { Failure } from "../../lib/failure";
import { comments } from "./questions";

/** @throws Failure with the line of the first mistake, without any of the file's text */
function readDocument(path: string): Document {
    try {
        return editableYaml(existsSync(path) ? readFileSync(path, "utf8") : "", { isSecret: () => false });
    } catch (error) {
        if (error instanceof YamlError) {
            throw new Failure(
                `${path}: ${error.message} (a merge that stopped leaves lines of <<<<<<< and >>>>>>>); fix it first`,
            );
        }
        throw error;
    }
}

/**
 * The map under `config` of a stack's file.
 *
 * @throws Failure when the file does not exist or has none
 */
export function readConfigMap(path: string): YAMLMap {
    const config = readDocument(path).get("config");
    if (!isMap(config)) {
        throw new Failure(`${path} has no settings to start from: restore it with \`git checkout -- ${path}\``);
    }
    return config;
}

/** Placeholder for an encrypted string. */
export const ciphertext = "(secret)";

/** Placeholders replace encrypted values. */
function withoutCiphertext(value: unknown): unknown {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
        return value;
    }
    return "secure" in value
        ? ciphertext
        : Object.fromEntries(Object.entries(value).map(([key, each]) => [key, withoutCiphertext(each)]));
}

/** Value at a path of a config, or undefined. */
export function valueAt(config: unknown, path: readonly PropertyKey[]): unknown {
    return path.reduce<unknown>(
        (value, part) => (typeof value === "object" && value !== null ? Reflect.get(value, part) : undefined),
        config,
    );
}

/** `Pulumi.<stack>.yaml` under construction. Pulumi writes the encrypted values in it, this class the others. */
export class StackFile {
    readonly path: string;

    /** @param example source of a new setting's comment */
    constructor(
        readonly stack: string,
        private readonly example: YAMLMap,
    ) {
        this.path = stackFileName(stack);
    }

    /** Encryption of the file's values: by a passphrase, by a key service, or not yet decided. */
    encryption(): "passphrase" | "service" | undefined {
        const document = this.read();
        if (document.has("secretsprovider") && document.get("secretsprovider") !== "passphrase") {
            return "service";
        }
        return document.has("encryptionsalt") ? "passphrase" : undefined;
    }

    /** Content of `config`, by key without `hearth:`; encrypted values are replaced by a placeholder. */
    config(): Record<string, unknown> {
        const config = existsSync(this.path) ? readStackFile(this.path).config : {};
        return Object.fromEntries(
            Object.entries(withoutCiphertext(config) as object).map(([key, value]) => [
                key.replace(/^hearth:/, ""),
                value,
            ]),
        );
    }

    /** Bytes of its config, as {@link configSize} counts them. */
    size(): number {
        return existsSync(this.path) ? configSize(readStackFile(this.path).config) : 0;
    }

    /** Value at a path below `hearth:`, as {@link config} shows it. */
    at(path: readonly string[]): unknown {
        return valueAt(this.config(), path);
    }

    /** Sets the value at a path below `hearth:`, at once and entirely. */
    set([first = "", ...rest]: readonly string[], value: unknown): void {
        const document = this.read();
        if (!isMap(document.contents)) {
            document.contents = document.createNode({});
        }
        let map = document.get("config");
        if (!isMap(map)) {
            map = new YAMLMap();
            document.delete("config");
            (document.contents as YAMLMap).items.unshift(new Pair(new Scalar("config"), map));
        }
        this.setIn(document, map as YAMLMap, this.example, [`hearth:${first}`, ...rest], value);
        const temporary = `${this.path}.${process.pid}.new`;
        writeFileSync(temporary, document.toString({ lineWidth: 0 }));
        renameSync(temporary, this.path);
    }

    private setIn(
        document: Document,
        map: YAMLMap,
        example: YAMLMap | undefined,
        [name = "", ...rest]: readonly string[],
        value: unknown,
    ): void {
        map.flow = false;
        let pair = map.items.find(({ key }) => String(key) === name);
        if (!pair) {
            const key = new Scalar(name);
            key.commentBefore = (example && comments(example).get(name)) || undefined;
            pair = new Pair(key, undefined);
            map.items.push(pair);
        }
        if (rest.length === 0) {
            pair.value = document.createNode(value);
            return;
        }
        const below = example?.get(name);
        const next = isMap(pair.value) ? pair.value : new YAMLMap();
        pair.value = next;
        this.setIn(document, next, isMap(below) ? below : undefined, rest, value);
    }

    private read(): Document {
        return readDocument(this.path);
    }
}
