import { readStack } from "../../../hack/stack";

test("the verbs render charts for a home with the export that its stack names", async () => {
    const { settings } = await readStack("home");
    expect(settings.nfs).toEqual({ server: "nas.home.example.com", path: "/export/home" });
});
