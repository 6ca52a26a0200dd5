import { foreignTemplate, lostValues } from "../../../components/chart-values";
import { templates } from "./templates";

const env = (value: unknown) => ({ workloads: { paperless: { env: { X: value } } } });

describe("kind 5: {{ }} that is meant for the application", () => {
    test.each(templates)("%j is rendered by Helm, or rejected", (text, rendered) => {
        expect(foreignTemplate(text) === undefined).toBe(rendered !== undefined);
    });

    test("is rejected with the form to write, wherever the library renders a string", () => {
        const text = "{{ created_year }}";
        for (const container of [{ env: { X: text } }, { args: ["a", text] }, { command: [text] }]) {
            expect(lostValues({ workloads: { paperless: container } })).toEqual([
                expect.stringMatching(
                    /^invalid workloads\.paperless\.\S+: got "\{\{ created_year \}\}", expected a Helm template; for the application, write \{\{ `\{\{ created_year \}\}` \}\}$/,
                ),
            ]);
        }
    });

    test("is rejected in a ConfigMap that is a template, and in an annotation", () => {
        const data = { "a.yaml": "{{ user }}" };
        expect(lostValues({ configs: { a: { template: true, data } } })).toHaveLength(1);
        expect(lostValues({ workloads: { a: { ingress: { annotations: data } } } })).toHaveLength(1);
    });

    test("is kept where nothing renders it", () => {
        expect(lostValues({ configs: { rules: { data: { "a.yaml": "{{ $labels.x }}" } } } })).toEqual([]);
    });
});

describe("kind 5: a null among values", () => {
    const lost =
        'invalid workloads.paperless.env.X: got nothing, expected a value: Helm drops a key without one ("" is an empty string)';

    test("is rejected where it drops a written value", () => {
        expect(lostValues(env(null))).toEqual([lost]);
        expect(lostValues(env(null), { workloads: {} })).toEqual([lost]);
    });

    test("removes a default of the chart, as Helm documents", () => {
        expect(lostValues(env(null), env("a default"))).toEqual([]);
    });

    test("an empty string, zero and false are values", () => {
        expect([lostValues(env("")), lostValues(env(0)), lostValues(env(false))].flat()).toEqual([]);
    });
});
