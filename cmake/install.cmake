# `cmake --install` gives the program, the libraries, their headers and a package for find_package(sparsepush);
# `cpack --config CPackSourceConfig.cmake` in a build folder gives a source archive there.
include(CMakePackageConfigHelpers)

set(CPACK_SOURCE_GENERATOR TGZ)
set(CPACK_PACKAGE_DIRECTORY ${PROJECT_BINARY_DIR})  # in the current folder it would be packed too
set(CPACK_SOURCE_PACKAGE_FILE_NAME sparsepush-${PROJECT_VERSION})
# What a checkout gathers beside its own files.
set(CPACK_SOURCE_IGNORE_FILES "/[.]git/" "/[.]git$" "/__pycache__/" "[.]egg-info/" "^${PROJECT_BINARY_DIR}/"
  "^${PROJECT_SOURCE_DIR}/(build|python/build|python/dist|runs|gpu_check)/" "^${PROJECT_SOURCE_DIR}/quickstart"
  "^${PROJECT_SOURCE_DIR}/data/(cifar10|cifar100|mnist|fashion_mnist)/")
include(CPack)

set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/sparsepush)
install(TARGETS sparsepush)
install(TARGETS sparsepush_flags sparsepush_kernels sparsepush_data sparsepush_models sparsepush_host sparsepush_cuda
  EXPORT sparsepush OBJECTS DESTINATION ${CMAKE_INSTALL_LIBDIR}/sparsepush)
install(EXPORT sparsepush NAMESPACE sparsepush:: DESTINATION ${package_folder})
install(DIRECTORY kernels data models host DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/sparsepush
  FILES_MATCHING PATTERN "*.h" PATTERN host/program EXCLUDE PATTERN host/ranks EXCLUDE)
configure_package_config_file(cmake/sparsepush-config.cmake.in ${PROJECT_BINARY_DIR}/sparsepush-config.cmake
  INSTALL_DESTINATION ${package_folder})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/sparsepush-config-version.cmake COMPATIBILITY ExactVersion)
install(FILES ${PROJECT_BINARY_DIR}/sparsepush-config.cmake ${PROJECT_BINARY_DIR}/sparsepush-config-version.cmake
  cmake/dependencies.cmake DESTINATION ${package_folder})
