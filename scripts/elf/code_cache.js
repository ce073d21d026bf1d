/**
 * Has V8 compile a program, and keeps what it made: `deno run … code_cache.js PROGRAM OUTPUT [ARGUMENT]…`
 *
 * With arguments the program is run once, so that what it then needs is compiled as well.
 * @module
 */
import process from "node:process";
import vm from "node:vm";

const [program = "", output = "", ...args] = Deno.args;
const script = new vm.Script(Deno.readTextFileSync(program), { filename: "portsnare.js" });
const module = { exports: {} };
script.runInThisContext()(process.getBuiltinModule, module, module.exports);
if (args.length > 0) await module.exports.main(args);
Deno.writeFileSync(output, script.createCachedData());
