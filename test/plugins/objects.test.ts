import { isForced, takenOver } from "../../sandbox/plugins/kubernetes/apply";
import { annotateSecrets, checkpoint, parseCheckpoint, prune } from "../../sandbox/plugins/kubernetes/checkpoint";
import { gvkOfToken, isListToken, isNamespacedBuiltIn, isPatchResource } from "../../sandbox/plugins/kubernetes/kinds";
import { adoptName, assignName, timeoutOf } from "../../sandbox/plugins/kubernetes/metadata";
import { normalizeInputs } from "../../sandbox/plugins/kubernetes/normalize";
import { idOf, parseId } from "../../sandbox/plugins/kubernetes/objects";
import { canonicalQuantity } from "../../sandbox/plugins/kubernetes/quantity";
import { type Properties, Secret, unknown } from "../../sandbox/plugins/shared/values";
import { decode, encode } from "../../sandbox/plugins/shared/wire";

describe("names", () => {
    const request = { name: "web", randomSeed: new Uint8Array([1]), autonaming: undefined };

    test("an object without a name gets one, with the annotation that tells so", () => {
        const object: Properties = { metadata: { annotations: { a: "b" } } };
        assignName(object, request);
        expect(object).toEqual({
            metadata: {
                name: expect.stringMatching(/^web-[0-9a-f]{8}$/),
                annotations: { a: "b", "pulumi.com/autonamed": "true" },
            },
        });
    });

    test("preview and update make the same name", () => {
        const [first, second]: Properties[] = [{}, {}];
        assignName(first as Properties, request);
        assignName(second as Properties, request);
        expect(first).toEqual(second);
    });

    test.each<Properties>([{ name: "x" }, { name: unknown }, { generateName: "x-" }])(
        "%j is left alone",
        (metadata) => {
            const object: Properties = { metadata: { ...metadata } };
            assignName(object, request);
            expect(object).toEqual({ metadata });
        },
    );

    test("the name that Pulumi gave stays", () => {
        const object: Properties = {};
        adoptName(object, { metadata: { name: "web-1", annotations: { "pulumi.com/autonamed": "true" } } });
        expect(object["metadata"]).toMatchObject({ name: "web-1" });
        const given: Properties = {};
        adoptName(given, { metadata: { name: "web-1" } });
        expect(given).toEqual({});
    });

    test("autonaming can be switched off", () => {
        const autonaming = { disabled: true, proposedName: "" };
        expect(() => assignName({}, { ...request, autonaming })).toThrow("autonaming is disabled");
    });

    test.each([
        ["ns/name", { namespace: "ns", name: "name" }],
        ["name", { namespace: "", name: "name" }],
    ])("id %s", (id, parts) => {
        expect(parseId(id)).toEqual(parts);
        expect(idOf({ metadata: parts })).toBe(id);
    });
});

describe("type tokens", () => {
    test.each([
        ["kubernetes:core/v1:Namespace", { group: "", version: "v1", kind: "Namespace" }],
        ["kubernetes:apps/v1:Deployment", { group: "apps", version: "v1", kind: "Deployment" }],
        [
            "kubernetes:argoproj.io/v1alpha1:Application",
            { group: "argoproj.io", version: "v1alpha1", kind: "Application" },
        ],
    ])("%s", (token, gvk) => {
        expect(gvkOfToken(token)).toEqual(gvk);
    });

    test("another package's token is refused", () => {
        expect(() => gvkOfToken("aws:s3:Bucket")).toThrow('unrecognized resource type: "aws:s3:Bucket"');
    });

    test("patches and lists", () => {
        expect(isPatchResource("kubernetes:core/v1:NamespacePatch", "Namespace")).toBe(true);
        expect(isPatchResource("kubernetes:core/v1:Namespace", "Namespace")).toBe(false);
        expect(isListToken("kubernetes:core/v1:PodList")).toBe(true);
        expect(isListToken("kubernetes:example.com/v1:PodList")).toBe(false);
    });

    test("scopes", () => {
        expect(isNamespacedBuiltIn(gvkOfToken("kubernetes:core/v1:Secret"))).toBe(true);
        expect(isNamespacedBuiltIn(gvkOfToken("kubernetes:core/v1:Namespace"))).toBe(false);
        expect(isNamespacedBuiltIn(gvkOfToken("kubernetes:cert-manager.io/v1:ClusterIssuer"))).toBeUndefined();
    });
});

describe("timeouts", () => {
    const annotated = (value: string) => ({ metadata: { annotations: { "pulumi.com/timeoutSeconds": value } } });
    test.each<[number, Properties, number]>([
        [0, {}, 600],
        [0, annotated("30"), 30],
        [0, annotated("soon"), 600],
        [120, annotated("30"), 120],
    ])("customTimeouts %d and %j", (custom, object, expected) => {
        expect(timeoutOf(custom, object)).toBe(expected);
    });
});

describe("inputs in one form", () => {
    test.each([
        ["1024Mi", "1Gi"],
        ["1Gi", "1Gi"],
        ["1500Mi", "1500Mi"],
        ["0.5", "500m"],
        ["1000m", "1"],
        ["100m", "100m"],
        ["1000", "1k"],
        ["0.5Gi", "512Mi"],
        ["0", "0"],
        ["1e3", "1e3"],
        ["many", "many"],
    ])("quantity %s is %s", (given, expected) => {
        expect(canonicalQuantity(given)).toBe(expected);
    });

    test("a Secret's stringData is its data", () => {
        const secret = { apiVersion: "v1", kind: "Secret", data: { a: "MQ==" }, stringData: { b: "2" } };
        expect(normalizeInputs(secret)).toEqual({ apiVersion: "v1", kind: "Secret", data: { a: "MQ==", b: "Mg==" } });
    });

    test("requests are normalized in built-in kinds, and left alone in custom ones", () => {
        const spec = { resources: { requests: { storage: "1024Mi" } } };
        const claim = normalizeInputs({ apiVersion: "v1", kind: "PersistentVolumeClaim", spec });
        expect(claim["spec"]).toEqual({ resources: { requests: { storage: "1Gi" } } });
        const custom = normalizeInputs({ apiVersion: "example.com/v1", kind: "Thing", spec });
        expect(custom["spec"]).toEqual(spec);
    });

    test("metadata that only the server sets goes", () => {
        const metadata = { name: "a", uid: "1", resourceVersion: "2", managedFields: [], generation: 1 };
        expect(normalizeInputs({ apiVersion: "v1", kind: "ConfigMap", metadata })["metadata"]).toEqual({ name: "a" });
    });
});

describe("the state", () => {
    const bookkeeping = { initialApiVersion: "v1", fieldManager: "pulumi-kubernetes-12345678" };

    test("inputs and live object come back as they went in", () => {
        const inputs = { apiVersion: "v1", kind: "ConfigMap", data: { a: "1" } };
        const live = { ...inputs, metadata: { uid: "u" } };
        const parsed = parseCheckpoint(checkpoint(inputs, live, inputs, bookkeeping));
        expect(parsed.inputs).toEqual(inputs);
        expect(parsed.live).toMatchObject(live);
    });

    test("a Secret's data is secret, whatever the program says", () => {
        const inputs = { apiVersion: "v1", kind: "Secret", data: { a: "MQ==" } };
        const state = checkpoint(inputs, inputs, inputs, bookkeeping);
        expect(state["data"]).toBeInstanceOf(Secret);
        expect((state["__inputs"] as Properties)["data"]).toBeInstanceOf(Secret);
    });

    test("secrets of inputs are secret in outputs, and nothing else is", () => {
        const outs: Properties = { spec: { password: "x", size: 1, list: [1, "y"] }, status: {} };
        annotateSecrets(outs, { spec: { password: new Secret("x"), size: 1, list: [1, new Secret("y")] } });
        expect(outs).toEqual({
            spec: { password: new Secret("x"), size: 1, list: new Secret([1, "y"]) },
            status: {},
        });
    });

    test("x-kubernetes keys are stored as SDKs can spell them, and restored", () => {
        const inputs = { spec: { "x-kubernetes-preserve-unknown-fields": true } };
        const state = checkpoint(inputs, inputs, {}, bookkeeping);
        expect(state["spec"]).toEqual({ x_kubernetes_preserve_unknown_fields: true });
        expect(parseCheckpoint(state).live["spec"]).toEqual(inputs.spec);
    });

    test.each<[Properties, Properties, Properties]>([
        [{ a: 1, b: 2 }, { a: 0 }, { a: 1 }],
        [{ a: { b: 1, c: 2 } }, { a: { c: 0 } }, { a: { c: 2 } }],
        [{ l: [{ a: 1, b: 2 }, { a: 3 }] }, { l: [{ a: 0 }] }, { l: [{ a: 1 }] }],
        [{ l: [] }, { l: [1] }, { l: [] }],
        [{ a: "1" }, { a: 1 }, { a: "1" }],
    ])("%j in the shape of %j", (source, shape, expected) => {
        expect(prune(source, shape)).toEqual(expected);
    });

    test("secrets and unknowns survive the wire", () => {
        const value = { a: new Secret({ b: [1, unknown] }), c: unknown, d: null, e: "text" };
        expect(decode(encode(value))).toEqual(value);
    });
});

describe("field managers", () => {
    const managed = (manager: string, operation: string, field: string) => ({
        manager,
        operation,
        apiVersion: "v1",
        fieldsType: "FieldsV1",
        fieldsV1: { [`f:${field}`]: {} },
    });

    test("fields written without server-side apply are taken over", () => {
        const live = {
            metadata: { managedFields: [managed("pulumi-kubernetes", "Update", "a"), managed("argo", "Apply", "b")] },
        };
        expect(takenOver(live, "pulumi-kubernetes-1")).toEqual([
            managed("argo", "Apply", "b"),
            managed("pulumi-kubernetes-1", "Apply", "a"),
        ]);
    });

    test("and joined with those that are ours already", () => {
        const live = {
            metadata: { managedFields: [managed("kubectl", "Update", "a"), managed("ours", "Apply", "b")] },
        };
        const fieldsV1 = { "f:a": {}, "f:b": {} };
        expect(takenOver(live, "ours")).toEqual([{ ...managed("ours", "Apply", "b"), fieldsV1 }]);
    });

    test("those of others are left to them", () => {
        const live = { metadata: { managedFields: [managed("argo", "Update", "a")] } };
        expect(takenOver(live, "ours")).toBeUndefined();
    });

    test.each<[string, Properties, Properties | undefined, boolean, boolean, boolean]>([
        ["a create", {}, undefined, false, false, false],
        ["its preview", {}, undefined, false, true, true],
        ["the provider's setting", {}, undefined, true, false, true],
        ["the annotation", { metadata: { annotations: { "pulumi.com/patchForce": "true" } } }, {}, false, false, true],
        ["an object without managers", {}, { metadata: {} }, false, false, true],
        ["an object of others", {}, { metadata: { managedFields: [managed("a", "Apply", "x")] } }, false, false, false],
    ])("%s", (_, inputs, live, always, preview, expected) => {
        expect(isForced(inputs, live, always, preview)).toBe(expected);
    });
});
