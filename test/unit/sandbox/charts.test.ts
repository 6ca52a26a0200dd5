import { parse } from "yaml";
import { parseDownloads } from "../../../sandbox/charts/go-module-charts";
import { withoutMissingDependencies } from "../../../sandbox/charts/package";

test("the modules that Go names are read among its other lines", () => {
    const output =
        'go: downloading a v1.0.0\n{\n\t"Path": "a",\n\t"Dir": "/a"\n}\n{\n\t"Path": "b",\n\t"Error": "gone"\n}\n';
    expect(parseDownloads(output)).toEqual([
        { Path: "a", Dir: "/a" },
        { Path: "b", Error: "gone" },
    ]);
});

describe("a chart's dependencies", () => {
    const chart = "name: a\ndependencies:\n  - name: crds\n    version: 1.0.0\n  - name: frr\n    version: 2.0.0\n";

    test.each([
        ["all existing ones stay", ["crds", "frr-2.0.0.tgz"], ["crds", "frr"]],
        ["a missing one is removed", ["crds"], ["crds"]],
        ["a name that only begins alike is another", ["frr-extra"], undefined],
        ["the list is removed with the last", [], undefined],
    ])("%s", (_, vendored, names) => {
        const { name, dependencies } = parse(withoutMissingDependencies(chart, vendored));
        expect([name, dependencies?.map((each: { name: string }) => each.name)]).toEqual(["a", names]);
    });

    test("a chart without any is left unchanged", () => {
        expect(withoutMissingDependencies("name: a # mine\n", [])).toBe("name: a # mine\n");
    });
});
