import { quoted } from "../config/mistakes";
import { dottedPath } from "../config/secrets";

type Path = readonly (string | number)[];

/** Every value that is not an object or a list, with its path. */
function leaves(value: unknown, path: Path = []): { readonly path: Path; readonly value: unknown }[] {
    if (typeof value !== "object" || value === null) {
        return [{ path, value }];
    }
    const entries: [string | number, unknown][] = Array.isArray(value) ? [...value.entries()] : Object.entries(value);
    return entries.flatMap(([key, each]) => leaves(each, [...path, key]));
}

/** Reports whether the library chart renders the string at a path as a template: `common.template` of charts/common. */
function isTemplate(path: Path, values: unknown): boolean {
    const [first, name = "", part] = path;
    return first === "configs"
        ? part === "data" && Object(values).configs?.[name]?.template === true
        : path.some((key) => ["env", "command", "args", "annotations", "address"].includes(String(key)));
}

const literal = /\{\{-?\s*(`[^`]*`|"[^"]*")\s*-?\}\}/g;
const known = /"(\\.|[^"\\])*"|`[^`]*`|\.(Values|Release|Chart|Capabilities|Template|Files|Subcharts)\b[\w.]*/g;

/**
 * The first `{{ … }}` of a string that Helm cannot render: one that is meant for the application. `common.template` of
 * charts/common has the same rule.
 */
export function foreignTemplate(text: string): string | undefined {
    const own = text.replace(literal, "");
    // Inside these, a field belongs to the element, and variables have values.
    if (/\{\{-?\s*(range|with|define)\b|:=/.test(own)) {
        return undefined;
    }
    // An unclosed expression is also meant for the application.
    return (own.match(/\{\{[\s\S]*?(\}\}|$)/g) ?? []).find((action) => {
        if (!action.endsWith("}}")) {
            return true;
        }
        const rest = action.slice(2, -2).replace(known, '""');
        const isHelms = /""|^-?\s*(\/\*|(if|else|end|template|block)\b)/.test(rest);
        return !isHelms || /(^|[\s(|,$])\.[A-Za-z_]|[$]\w|'/.test(rest);
    });
}

/** A value at a path; undefined if there is none. */
const valueAt = (values: unknown, path: Path) =>
    path.reduce<unknown>((value, key) => (typeof value === "object" ? Object(value)[key] : undefined), values);

/**
 * Values that would not reach a chart as written: null, with which Helm drops a key, and templates of the application's
 * own, which Helm would render.
 *
 * @param defaults values of the chart that these are merged into, where a null drops the chart's default
 */
export function lostValues(values: unknown, defaults?: unknown): string[] {
    return leaves(values ?? {}).flatMap(({ path, value }) => {
        if (value === null && valueAt(defaults, path) === undefined) {
            return [
                `invalid ${dottedPath(path)}: got nothing, expected a value: Helm drops a key without one ("" is an empty string)`,
            ];
        }
        const foreign = typeof value === "string" && isTemplate(path, values) ? foreignTemplate(value) : undefined;
        return foreign === undefined
            ? []
            : [
                  `invalid ${dottedPath(path)}: got ${quoted(foreign)}, expected a Helm template; for the application, ` +
                      `write {{ \`${foreign}\` }}`,
              ];
    });
}
