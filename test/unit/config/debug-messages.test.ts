import { printsDebugMessages } from "../../../config/debug-messages";

test.each([
    ["pulumi up", false],
    ["/home/ada/.pulumi/bin/pulumi preview --stack home --diff", false],
    ["pulumi up --yes --skip-preview --parallel 64 -s home", false],
    ["pulumi up --debug", true],
    ["pulumi --debug=true up", true],
    ["pulumi up -d", true],
    ["pulumi up -yd", true],
    ["pulumi up --logtostderr --logflow -v=9", true],
    ["pulumi up --verbose 3", true],
    ["a-program-of-its-own up", true],
    ["", true],
])("%s prints debug messages: %s", (commandLine, expected) => {
    expect(printsDebugMessages(commandLine.split(" "))).toBe(expected);
});
