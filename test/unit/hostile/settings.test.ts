import { isDeepStrictEqual } from "node:util";
import { settingFields } from "../../../config/schema";
import { parseSettings, type Settings } from "../../../config/settings";
import { Failure } from "../../../lib/failure";
import { configs, namesOf, rawConfig } from "./configs";
import { hostileTexts, type Place, placesOf, valueAt, withText } from "./values";

const places = placesOf(settingFields, namesOf);
const nameOf = ({ path, part }: Place) => `${path.join(".")}${part === "name" ? " (its name)" : ""}`;
const configWith = ({ path }: Place) => Object.values(configs).find((each) => valueAt(each, path) !== undefined);

/** The program's result for a config: its settings, or its message. */
function outcome(config: object): Settings | string {
    try {
        return parseSettings(rawConfig(config));
    } catch (error) {
        if (error instanceof Failure) {
            return error.message;
        }
        throw error;
    }
}

test("the examples cover every setting", () => {
    expect(places.length).toBeGreaterThan(40);
    expect(places.filter((place) => !configWith(place)).map(nameOf)).toEqual([]);
});

test.each(Object.keys(configs) as (keyof typeof configs)[])("the program accepts %s", (name) => {
    expect(outcome(configs[name])).toMatchObject({ domain: "home.example.com" });
});

/** Mistake in the program's handling of a string in a place; undefined if there is none. */
function flaw(place: Place, text: string): string | undefined {
    const result = outcome(withText(configWith(place) ?? {}, place, text) as object);
    if (typeof result !== "string") {
        const path = place.part === "name" ? [...place.path.slice(0, -1), text] : place.path;
        const given = place.part === "name" ? valueAt(configWith(place), place.path) : text;
        return isDeepStrictEqual(valueAt(result, path), given) ? undefined : "accepted, and changed";
    }
    const isReported =
        result.startsWith("1 mistake") &&
        new RegExp(`\n  (invalid |unknown |set either )?hearth:${place.path[0]}`).test(result);
    const readable = result.length < 2_000 && !/[^\n\P{Cc}]|[\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u.test(result);
    return isReported && readable ? undefined : `refused with: ${result.slice(0, 200)}`;
}

test.each(places.map((place) => [nameOf(place), place] as const))(
    "%s: any value is rejected with a message, or kept unchanged",
    (_, place) => {
        const flaws = Object.entries(hostileTexts).flatMap(([kind, text]) => {
            const found = flaw(place, text);
            return found === undefined ? [] : [`${kind}: ${found}`];
        });
        expect(flaws).toEqual([]);
    },
);

test("single-line values in the config are limited to 64 KiB, since Pulumi could not start the program with more", () => {
    const long = "a".repeat(65_537);
    const accepted = places.filter(
        (place) => typeof outcome(withText(configWith(place) ?? {}, place, long) as object) !== "string",
    );
    expect(accepted.map(nameOf)).toEqual([]);
});

test("the command that a message suggests has the effect that it shows", () => {
    const message = outcome({ ...configs["an existing cluster"], "x'; touch pwned; '": "y" });
    expect(message).toContain(`--path 'hearth:["x'\\''; touch pwned; '\\''"]' <value>`);
});
