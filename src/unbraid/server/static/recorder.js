var e=class extends AudioWorkletProcessor{process(s){let r=s[0]?.[0];return r&&this.port.postMessage({time:currentTime,samples:r.slice()}),!0}};registerProcessor("unbraid-recorder",e);
