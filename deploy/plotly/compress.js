/* Writes the built library where pages load it from, plain and compressed. */
"use strict";
const fs = require("fs"), path = require("path"), zlib = require("zlib");
const target = path.join(__dirname, "../../app/ui/assets/vendor/plotly-charts-4.1.1.min.js");
const library = fs.readFileSync(path.join(__dirname, "build/plotly.js"));
const { BROTLI_PARAM_QUALITY: quality, BROTLI_PARAM_LGWIN: window, BROTLI_PARAM_SIZE_HINT: size } = zlib.constants;
fs.writeFileSync(target, library);
fs.writeFileSync(target + ".br", zlib.brotliCompressSync(library, { params: { [quality]: 11, [window]: 24, [size]: library.length } }));
